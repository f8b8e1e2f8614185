"""Keys and rows of points: native per ISA and the reference, against a dictionary of cells."""

import itertools
import math
from dataclasses import replace
from types import ModuleType

import pytest
import torch
from torch import Tensor

from tamis.formats.packed_coords import KeyLayout, choose_layout, pack
from tamis.kernels import PointGrid, cpu, reference
from tests.conformance import instruction_sets

BACKENDS = {"cpu": cpu, "reference": reference}
CASES = [(isa, backend) for backend in BACKENDS for isa in instruction_sets.of(f"{backend}/")]
SIZE, STRIDE = (0.25, 0.5, 1.0), (2, 1, 4)


def cloud(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    points = (torch.rand(3000, 3, generator=generator, dtype=torch.float64) - 0.5) * 6
    points[:4] = torch.tensor([[0.0, 0.0, 0.0], [-0.25, 0.5, -1.0], [0.25, -0.5, 1.0], [-0.0, 0.0, 0.0]])
    return points.to(dtype), torch.randint(0, 3, (3000,), generator=generator)


def cells(points: Tensor, batch: Tensor) -> list[tuple[int, ...]]:
    return [
        (b, *(math.floor(v / size) * step for v, size, step in zip(p, SIZE, STRIDE, strict=True)))
        for p, b in zip(points.tolist(), batch.tolist(), strict=True)
    ]


def known_cells(
    points: Tensor, batch: Tensor, far: int = 0
) -> tuple[Tensor, KeyLayout, Tensor, dict[tuple[int, ...], int]]:
    """Sorted keys of half of the occupied cells, a shuffled row for each, and the rows by cell; ``far`` makes keys of 64 bits."""
    coords = torch.tensor(sorted(set(cells(points, batch)))[::2], dtype=torch.int32)
    if far:
        coords = torch.cat([coords, torch.tensor([[2, far, far, far]], dtype=torch.int32)])
    layout = choose_layout(coords)
    keys = pack(coords, layout)
    assert bool((keys[1:] > keys[:-1]).all())
    order = torch.randperm(len(keys), generator=torch.Generator().manual_seed(1))
    return (
        keys,
        layout,
        order,
        {tuple(c): row for c, row in zip(coords.tolist(), order.tolist(), strict=True)},
    )


def look_up(backend: ModuleType, what: str, grid: PointGrid, keys: Tensor, order: Tensor) -> object:
    index = (cpu.key_index(keys, order),) if backend is cpu else (keys, order)
    return getattr(backend, what)(grid, *index)


def on(points: Tensor, batch: Tensor, layout: KeyLayout) -> PointGrid:
    return PointGrid(points, batch, SIZE, STRIDE, layout.bias, layout.bits)


@pytest.mark.parametrize(("isa", "backend"), CASES, indirect=["isa"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("far", [0, 2**18])
def test_rows(isa: str, backend: str, dtype: torch.dtype, far: int) -> None:
    points, batch = cloud(dtype)
    keys, layout, order, row_of = known_cells(points, batch, far)
    batch[5], batch[6] = -1, 2**32  # no scenes of these keys, and no other's either
    points[7, 0], points[8, 2] = 1e30, -1e9
    rows = look_up(BACKENDS[backend], "point_rows", on(points, batch, layout), keys, order)
    expected = [row_of.get(cell, -1) for cell in cells(points, batch)]
    assert rows.tolist() == expected
    assert rows.min() == -1
    assert rows.max() > 100


@pytest.mark.parametrize(("isa", "backend"), CASES, indirect=["isa"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_corners(isa: str, backend: str, dtype: torch.dtype) -> None:
    points, batch = cloud(dtype)
    points, batch = points[:500], batch[:500]
    keys, layout, order, row_of = known_cells(points, batch)
    rows, weights = look_up(BACKENDS[backend], "point_corners", on(points, batch, layout), keys, order)
    for p, b, found, shares in zip(
        points.tolist(), batch.tolist(), rows.tolist(), weights.tolist(), strict=True
    ):
        place = [v / size - 0.5 for v, size in zip(p, SIZE, strict=True)]
        expected: dict[int, float] = {}
        for step in itertools.product((0, 1), repeat=3):
            corner = [math.floor(v) + s for v, s in zip(place, step, strict=True)]
            share = math.prod(1 - abs(v - c) for v, c in zip(place, corner, strict=True))
            row = row_of.get((b, *(c * s for c, s in zip(corner, STRIDE, strict=True))))
            if row is not None and share > 0:
                expected[row] = share
        total = sum(expected.values())
        assert {row for row, share in zip(found, shares, strict=True) if share > 0} == set(expected)
        assert set(found) == (set(expected) or {-1})
        for row, share in zip(found, shares, strict=True):
            assert share == 0 or share == pytest.approx(expected[row] / total, abs=1e-12)


@pytest.mark.parametrize(("isa", "backend"), CASES, indirect=["isa"])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_keys_and_range(isa: str, backend: str, dtype: torch.dtype) -> None:
    points, batch = cloud(torch.float32)
    coords = torch.tensor(cells(points, batch), dtype=torch.int32)
    layout = choose_layout(coords)
    grid = on(points, batch, layout)
    assert torch.equal(BACKENDS[backend].point_keys(grid, dtype), pack(coords, layout).to(dtype))
    places = points.double() / torch.tensor(SIZE, dtype=torch.float64)
    found, bad = BACKENDS[backend].point_range(grid)
    assert torch.equal(found, torch.stack([places.amin(0), places.amax(0)]))
    assert bad == 0
    points = points.clone()
    points[0, 1], points[9, 2], points[9, 0] = float("nan"), float("inf"), -float("inf")
    assert BACKENDS[backend].point_range(replace(grid, points=points))[1] == 2


@pytest.mark.parametrize(("isa", "backend"), CASES, indirect=["isa"])
def test_no_points_and_no_keys(isa: str, backend: str) -> None:
    none, layout = torch.empty(0, 3), KeyLayout((1, 4, 4, 4), (8, 8, 8))
    keys, order = torch.empty(0, dtype=torch.int32), torch.empty(0, dtype=torch.int64)
    points, batch = torch.rand(5, 3), torch.zeros(5, dtype=torch.int64)
    assert BACKENDS[backend].point_range(on(none, batch[:0], layout))[1] == 0
    assert (
        look_up(BACKENDS[backend], "point_rows", on(points, batch, layout), keys, order).tolist() == [-1] * 5
    )
    rows, weights = look_up(BACKENDS[backend], "point_corners", on(points, batch, layout), keys, order)
    assert rows.tolist() == [[-1] * 8] * 5
    assert weights.tolist() == [[0.0] * 8] * 5
