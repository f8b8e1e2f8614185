"""Which cells the SpMM suite measures: three sizes of the same questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import Tensor, nn

from tamis.bench.spmm.cell import Cell
from tamis.bench.spmm.contestants import ALL, CANDIDATES, DENSE, EIGHT_BITS, OURS, ROUNDED, Contestant
from tamis.workloads import Family, PatternFile, Spec, cut, divides, generate, one_weight_per_role

Grid = Literal["quick", "default", "full", "int8"]

_TRANSFORMER = ((512, 512), (2048, 512), (512, 2048), (1024, 1024))
_BERT = ((1536, 384), (384, 1536), (3072, 768), (4096, 1024))
_LARGE = ((3072, 768), (768, 3072), (4096, 1024), (4096, 4096))
_DECODE = ((1024, 1024), (4096, 4096), (11008, 4096))
_UNSEEN = ((640, 896), (1536, 704), (448, 2176))
_UNSEEN_SEED = 7919
_FOREIGN_PLAN_N = 128
FILE_CONTESTANTS = ALL
_LAYER_CUTS = {
    "quick": ((0.8, "unstructured"),),
    "default": ((0.7, "unstructured"), (0.8, "unstructured"), (0.9, "unstructured"), (0.8, "4x1")),
    "int8": (),
    "full": tuple((s, p) for p in ("unstructured", "4x1", "16x16") for s in (0.5, 0.7, 0.8, 0.9)),
}


@dataclass(frozen=True)
class Job:
    """One matrix, made when its turn comes, and the cells on it.

    Attributes
    ----------
    make : callable returning Tensor (m, k)
    cells : tuple of Cell
    contestants : tuple of Contestant
    """

    make: Callable[[], Tensor]
    cells: tuple[Cell, ...]
    contestants: tuple[Contestant, ...] = ALL


def jobs(grid: Grid) -> list[Job]:
    """The generated matrices of a grid: sections "grid", "lengths", "decode" and "int8"."""
    return {"quick": _quick, "default": _default, "full": _full, "int8": _int8}[grid]()


def _quick() -> list[Job]:
    return [
        *_grid(_TRANSFORMER[:2], (0.5, 0.7, 0.8, 0.9, 0.95), (128,)),
        *_grid(_TRANSFORMER[3:], (0.3, 0.5, 0.7, 0.8, 0.9, 0.95), (64, 256)),
        *_grid((_TRANSFORMER[1], _TRANSFORMER[3]), (0.5, 0.7, 0.9), (128,), "4x1"),
        *_grid(_TRANSFORMER[3:], (0.7, 0.9), (128,), "16x16"),
        *_grid(_TRANSFORMER[3:], (0.5,), (128,), "2:4"),
        *_lengths(_TRANSFORMER[3:], (0.8,), (33, 300)),
        *_decode(_TRANSFORMER[3:], (0.7, 0.9), (1, 8), ("warm",)),
    ]


def _default() -> list[Job]:
    return [
        *_grid(_TRANSFORMER, (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98), (64, 128, 256)),
        *_grid(_TRANSFORMER, (0.1, 0.2, 0.3, 0.4), (64, 128, 256)),
        *_grid(_TRANSFORMER, (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98), (64, 128, 256), "4x1"),
        *_grid(_TRANSFORMER, (0.5, 0.7, 0.9), (128,), "8x1"),
        *_grid(_TRANSFORMER, (0.5, 0.7, 0.9), (128,), "16x1"),
        *_grid(_TRANSFORMER, (0.5, 0.7, 0.9), (128,), "16x16"),
        *_grid(_TRANSFORMER, (0.5,), (64, 128, 256), "2:4"),
        *_grid(_TRANSFORMER, (0.7, 0.9), (128,), family="variational"),
        *_lengths(_TRANSFORMER[3:], (0.8,), (7, 33, 100, 300)),
        *_decode(_TRANSFORMER[3:], (0.5, 0.7, 0.9), (1, 8, 16), ("warm",)),
        *_decode(_TRANSFORMER[3:], (0.5, 0.9), (1,), ("cold",)),
        *_choice(_UNSEEN[:2], (0.62, 0.86), (1, 3, 24, 200)),
    ]


def _full() -> list[Job]:
    shapes, lengths = _TRANSFORMER + _LARGE, (64, 128, 256, 512)
    blocks = (0.5, 0.7, 0.8, 0.9, 0.95)
    return [
        *_grid(shapes, (0.3, 0.5, 0.7, 0.8, 0.9, 0.95), lengths),
        *_grid(shapes, blocks, lengths, "4x1"),
        *_grid(shapes, blocks, lengths, "8x1"),
        *_grid(shapes, blocks, lengths, "16x16"),
        *_grid(shapes, (0.5,), lengths, "2:4"),
        *_decode(_DECODE, (0.5, 0.7, 0.8, 0.9, 0.95), (1,), ("warm", "cold")),
        *_decode(shapes, (0.5, 0.7, 0.8, 0.9, 0.95), (8, 16), ("warm",)),
        *_lengths(
            ((1024, 1024), (2048, 512), (4096, 1024)), (0.7, 0.9), (1, 7, 17, 33, 63, 100, 129, 300, 1000)
        ),
        *_choice(_UNSEEN, (0.45, 0.62, 0.77, 0.86, 0.94), (1, 2, 3, 6, 12, 24, 100, 200)),
        *_grid(shapes, (0.1, 0.2, 0.4, 0.6, 0.98), lengths),
        *_grid(shapes, (0.7, 0.9), (128,), "16x1"),
        *_grid(shapes, (0.7, 0.9), (128,), family="variational"),
    ]


def _int8() -> list[Job]:
    """Against dense products in fewer bits: quads of weights, which the 8-bit kernel is made for, and single ones."""
    cuts = {"1x4": (0.5, 0.75, 0.8, 0.9, 0.95), "unstructured": (0.5, 0.8, 0.9, 0.95)}
    return [
        _job(spec, tuple(_cell("int8", spec, n) for n in (128, 512)), DENSE + EIGHT_BITS + OURS[1:])
        for m, k in _BERT
        for pattern, sparsities in cuts.items()
        for spec in (Spec(m, k, sparsity, pattern) for sparsity in sparsities)
    ]


def _grid(
    shapes: Sequence[tuple[int, int]],
    sparsities: Sequence[float],
    lengths: Sequence[int],
    pattern: str = "unstructured",
    family: Family = "magnitude",
) -> Iterator[Job]:
    for m, k in shapes:
        for sparsity in sparsities:
            spec = Spec(m, k, sparsity, pattern, family)
            yield _job(spec, tuple(_cell("grid", spec, n) for n in lengths))


def _lengths(
    shapes: Sequence[tuple[int, int]], sparsities: Sequence[float], lengths: Sequence[int]
) -> Iterator[Job]:
    """Each n with a plan of its own, and with a plan that was made for another."""
    for m, k in shapes:
        for sparsity in sparsities:
            spec = Spec(m, k, sparsity)
            own = (_cell("lengths", spec, n) for n in lengths)
            foreign = (_cell("lengths", spec, n, planned_n=_FOREIGN_PLAN_N) for n in lengths)
            yield _job(
                spec, tuple(cell for pair in zip(own, foreign, strict=True) for cell in pair), DENSE + OURS
            )


def _decode(
    shapes: Sequence[tuple[int, int]],
    sparsities: Sequence[float],
    lengths: Sequence[int],
    caches: Sequence[Literal["warm", "cold"]],
) -> Iterator[Job]:
    for m, k in shapes:
        for sparsity in sparsities:
            spec = Spec(m, k, sparsity)
            yield _job(
                spec,
                tuple(_cell("decode", spec, n, cache=cache) for cache in caches for n in lengths),
                ALL + ROUNDED,
            )


def _choice(
    shapes: Sequence[tuple[int, int]], sparsities: Sequence[float], lengths: Sequence[int]
) -> Iterator[Job]:
    """Every kernel beside the chooser's plan, twice: the first pass finds the best, the second tells what missing it costs."""
    for section in ("choice", "choice again"):
        for m, k in shapes:
            for sparsity in sparsities:
                for pattern in ("unstructured", "4x1"):
                    spec = Spec(m, k, sparsity, pattern, seed=_UNSEEN_SEED)
                    yield _job(
                        spec,
                        tuple(_cell(section, spec, n) for n in lengths),
                        DENSE + OURS[:1] + CANDIDATES,
                    )


def _job(spec: Spec, cells: tuple[Cell, ...], contestants: tuple[Contestant, ...] = ALL) -> Job:
    return Job(partial(generate, spec), cells, contestants)


def _cell(
    section: str, spec: Spec, n: int, *, planned_n: int | None = None, cache: Literal["warm", "cold"] = "warm"
) -> Cell:
    return Cell(section, spec.name, spec.pattern, spec.family, spec.sparsity, n, planned_n or n, cache)


def layer_jobs(model: nn.Module, model_name: str, grid: Grid, n: int = 128) -> Iterator[Job]:
    """Section "layers": one layer of every role in a real model, pruned by magnitude."""
    for name, weight in one_weight_per_role(model):
        for sparsity, pattern in _LAYER_CUTS[grid]:
            if not divides(weight, pattern):
                continue
            matrix = f"{model_name}.{name}_{pattern}_{sparsity:g}"
            cell = Cell("layers", matrix, pattern, model_name, sparsity, n, n)
            yield Job(partial(cut, weight, sparsity, pattern), (cell,))


def file_jobs(files: Sequence[PatternFile], lengths: Sequence[int] = (128,)) -> Iterator[Job]:
    """Section "files": patterns read from .smtx files."""
    for file in files:
        matrix = "/".join(file.path.parts[-4:])
        cells = tuple(Cell("files", matrix, file.pattern, "file", file.target, n, n) for n in lengths)
        yield Job(file.weight, cells, FILE_CONTESTANTS)
