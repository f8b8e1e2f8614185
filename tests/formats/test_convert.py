"""Every format against every other, bit for bit, on matrices of hostile values and awkward shapes."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tamis.formats import BSR, CSR, NM, Bitmap, SparseMatrix, convert
from tamis.formats.invariants import FLOAT_DTYPES

INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
BLOCKS = ((1, 1), (4, 1), (1, 4), (2, 3), (4, 4))
LAYOUTS = [(CSR, {}), (Bitmap, {}), (NM, {"n": 4, "m": 4}), (NM, {"n": 2, "m": 2})]
LAYOUTS += [(BSR, {"blocksize": block}) for block in BLOCKS]


def bits(values: Tensor) -> Tensor:
    return values.contiguous().view(INTEGERS[values.element_size()])


def same(a: SparseMatrix, b: SparseMatrix) -> bool:
    """Same class, same numbers, same component tensors, values compared as bits."""
    mine, theirs = a.components(), b.components()
    equal = mine.keys() == theirs.keys() and all(
        torch.equal(bits(part), bits(theirs[name])) if name == "values" else torch.equal(part, theirs[name])
        for name, part in mine.items()
    )
    return type(a) is type(b) and a.shape == b.shape and equal


@st.composite
def dense_matrices(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """A matrix of random bits (so NaNs of all kinds, infinities, subnormals) with both zeros, and a mask."""
    dtype = draw(st.sampled_from(FLOAT_DTYPES))
    # Sides are multiples of 12, so that all blocks and groups above tile them; odd shapes have tests of their own.
    shape = (12 * draw(st.integers(0, 3)), 12 * draw(st.integers(0, 3)))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    integer = INTEGERS[dtype.itemsize]
    low, high = torch.iinfo(integer).min, torch.iinfo(integer).max
    noise = torch.randint(low, high, shape, generator=generator, dtype=integer).view(dtype)
    if draw(st.booleans()):
        noise = torch.randn(shape, generator=generator).to(dtype)
    density = draw(st.sampled_from([0.0, 0.02, 0.3, 0.9, 1.0]))
    mask = torch.rand(shape, generator=generator) < density
    specials = torch.tensor([0.0, -0.0, float("nan"), float("inf"), -float("inf")], dtype=dtype)
    chosen = specials[torch.randint(0, 5, shape, generator=generator)]
    special = torch.rand(shape, generator=generator) < draw(st.sampled_from([0.0, 0.1, 1.0]))
    zero = torch.zeros((), dtype=dtype)
    return torch.where(mask, torch.where(special, chosen, noise), zero), mask


@settings(deadline=None)
@given(dense_matrices())
def test_from_dense_to_dense_keeps_bits_and_drops_both_zeros(case: tuple[Tensor, Tensor]) -> None:
    w, _ = case
    expected = torch.where(w == 0, torch.zeros((), dtype=w.dtype), w)
    for target, layout in LAYOUTS:
        a = target.from_dense(w, **layout)
        assert torch.equal(bits(a.to_dense()), bits(expected)), a
        assert a.dtype == w.dtype
        assert a.shape == tuple(w.shape)


@settings(deadline=None)
@given(dense_matrices())
def test_a_mask_stores_zeros_too_and_they_survive_where_the_format_can_tell(
    case: tuple[Tensor, Tensor],
) -> None:
    w, mask = case
    a = CSR.from_dense(w, mask=mask)
    assert a.nnz == int(mask.sum())
    assert torch.equal(bits(a.values), bits(w[mask]))
    assert same(convert(Bitmap.from_dense(w, mask=mask), CSR), a)
    assert same(convert(convert(a, Bitmap), CSR), a)
    survivors = CSR.from_dense(w, mask=mask & ((w != 0) | w.signbit()))
    for target, layout in LAYOUTS[2:]:
        assert same(convert(convert(a, target, **layout), CSR), survivors)


@settings(deadline=None)
@given(dense_matrices())
def test_every_format_reaches_every_other_exactly(case: tuple[Tensor, Tensor]) -> None:
    w, _ = case
    direct = [(target.from_dense(w, **layout), target, layout) for target, layout in LAYOUTS]
    for (a, *_), (b, target, layout) in itertools.product(direct, direct):
        assert same(convert(a, target, **layout), b), (a, b)


@settings(deadline=None)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 2**32))
def test_any_shape_that_blocks_tile(rows: int, columns: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    w = (
        torch.randn(rows, columns, generator=generator)
        * (torch.rand(rows, columns, generator=generator) < 0.3)
        + 0.0
    )
    for target, layout in LAYOUTS:
        height, width = layout.get("blocksize", (1, layout.get("m", 1)))
        if rows % height or columns % width:
            with pytest.raises(ValueError, match=r"pad it first: torch.nn.functional.pad"):
                target.from_dense(w, **layout)
        else:
            assert torch.equal(target.from_dense(w, **layout).to_dense(), w)


def test_convert_returns_the_same_object_when_nothing_changes() -> None:
    w = torch.eye(8)
    for target, layout in [(CSR, {}), (Bitmap, {}), (BSR, {"blocksize": (4, 2)}), (NM, {"n": 2, "m": 4})]:
        a = target.from_dense(w, **layout)
        assert convert(a, target, **layout) is a
    assert convert(a, NM, n=1, m=8) is not a


@pytest.mark.parametrize(
    ("target", "layout"),
    [(CSR, {"blocksize": (2, 2)}), (BSR, {}), (NM, {"n": 2}), (BSR, {"n": 2}), (Bitmap, {"n": 2, "m": 4})],
)
def test_convert_refuses_layouts_that_do_not_belong_to_the_target(target: type, layout: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        convert(CSR.from_dense(torch.eye(4)), target, **layout)


def test_convert_refuses_other_classes() -> None:
    with pytest.raises(TypeError, match="one of the classes"):
        convert(CSR.from_dense(torch.eye(4)), dict)


def test_int8_values_and_their_scale_pass_through_every_format() -> None:
    w = torch.randint(-127, 128, (12, 12), dtype=torch.int8) * (torch.rand(12, 12) < 0.4)
    scale = torch.rand(12)
    for target, layout in LAYOUTS:
        a = target.from_dense(w, row_scale=scale, **layout)
        assert a.dtype == torch.int8
        assert torch.equal(a.to_dense(), w * scale[:, None])
        for other, other_layout in LAYOUTS:
            b = convert(a, other, **other_layout)
            assert torch.equal(b.to_dense(), w * scale[:, None])
            assert torch.equal(b.row_scale, scale)


@pytest.mark.parametrize(("target", "layout"), LAYOUTS)
def test_gradients_flow_from_dense_through_the_format_and_back(target: type, layout: dict) -> None:
    w = (torch.randn(12, 12) * (torch.rand(12, 12) < 0.5)).requires_grad_()
    target.from_dense(w, **layout).to_dense().square().sum().backward()
    assert torch.equal(w.grad, 2 * w.detach())


@pytest.mark.parametrize(("target", "layout"), LAYOUTS)
def test_non_contiguous_inputs(target: type, layout: dict) -> None:
    w = torch.randn(24, 24) * (torch.rand(24, 24) < 0.3) + 0.0
    for view in (w.T, w[::2, ::2], w[:1].expand(24, 24), w[:, 0:1].expand(24, 24)):
        assert torch.equal(target.from_dense(view, **layout).to_dense(), view)
        assert torch.equal(target.from_dense(view, mask=view != 0, **layout).to_dense(), view)
