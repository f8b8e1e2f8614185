"""Matrix files, the constructors of formats, and products of what they let pass."""

import bz2
import gzip
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import tamis
from tamis.formats import BSR, CSR, NM, Bitmap, SparseMatrix, convert, load, save, write_smtx

from .judge import Call, Target
from .mutation import mutated

BANNER = b"%%MatrixMarket matrix "
MTX = (
    BANNER + b"coordinate real general\n% a comment\n3 4 4\n1 1 1.5\n3 2 -2e3\n1 4 nan\n1 4 1.0D+3\n",
    BANNER + b"coordinate integer symmetric\n3 3 3\n1 1 3\n2 1 4\n3 3 7\n",
    BANNER + b"coordinate pattern general\n3 3 2\n1 1\n2 1\n",
    BANNER + b"coordinate real skew-symmetric\n3 3 2\n2 1 1\n3 1 2\n",
    BANNER + b"coordinate unsigned-integer hermitian\n3 3 2\n2 1 1\n3 3 2\n",
    BANNER + b"array real general\n2 3\n1\n2\n3\n4\n5\n6\n",
    BANNER + b"array integer symmetric\n2 2\n1\n2\n3\n",
)


def dense(rng: random.Random, rows: int = 8, columns: int = 16) -> Tensor:
    w = torch.randn(rows, columns) * (torch.rand(rows, columns) < 0.4)
    w[:, 2::4] = w[:, 3::4] = 0  # 2:4
    return w


def read(path: Path) -> None:
    """A matrix that was read keeps every invariant and can be used."""
    a = load(path)
    a.check()
    size = a.shape[0] * a.shape[1]
    if size < 2**16:
        assert a.to_dense().shape == a.shape
        assert a.nnz == a.to_csr().nnz or not isinstance(a, CSR)


def mtx(rng: random.Random, folder: Path) -> Call:
    content = mutated(rng, rng.choice(MTX))
    squeeze = rng.choice((bytes, bytes, bytes, gzip.compress, bz2.compress))
    path = folder / rng.choice(("a.mtx", "a.mm", "a.mtx.gz"))
    path.write_bytes(squeeze(content) if rng.random() < 0.7 else mutated(rng, squeeze(content)))
    return partial(read, path)


def smtx(rng: random.Random, folder: Path) -> Call:
    path = folder / "a.smtx"
    write_smtx(CSR.from_dense(dense(rng)), path)
    path.write_bytes(mutated(rng, path.read_bytes()))
    return partial(read, path)


def any_format(rng: random.Random) -> SparseMatrix:
    w = dense(rng)
    return rng.choice(
        (
            CSR.from_dense,
            Bitmap.from_dense,
            partial(BSR.from_dense, blocksize=(4, 2)),
            partial(NM.from_dense, n=2, m=4),
        )
    )(w)


def safetensors(rng: random.Random, folder: Path) -> Call:
    path = folder / "a.safetensors"
    save(any_format(rng), path)
    path.write_bytes(mutated(rng, path.read_bytes()))
    return partial(read, path)


def hostile_tensor(rng: random.Random, good: Tensor) -> Any:
    """Half of the time ``good`` itself, else something like it and usually worse."""
    if rng.random() < 0.5:
        return good
    count = good.numel()
    far = (2**31 - 1, -(2**31), 10**6, -1, 255)
    changes: tuple[Callable[[Tensor], Any], ...] = (
        lambda t: t.flip(0),
        lambda t: t[: rng.randrange(max(len(t), 1))],
        lambda t: torch.cat([t, t]),
        lambda t: t.long(),
        lambda t: t.long() + rng.choice((2**31, 2**32, -(2**40))),
        lambda t: t.double(),
        lambda t: t.to(torch.float16) if t.is_floating_point() else t.to(torch.uint8),
        lambda t: t.unsqueeze(0),
        lambda t: t.new_zeros(()),
        lambda t: torch.stack([t, t], -1)[..., 0],
        lambda t: t.to("meta"),
        lambda t: t.numpy(),
        lambda t: t.tolist(),
        lambda t: None,
        lambda t: t.to_sparse(),
        lambda t: t.bool(),
        lambda t: t.to(torch.complex64),
    )
    if rng.random() < 0.4 and count:
        spoilt = good.clone()
        spoilt.view(-1)[rng.randrange(count)] = (
            rng.choice(far) % 256 if good.dtype == torch.uint8 else rng.choice(far)
        )
        return spoilt
    return rng.choice(changes)(good)


def hostile_shape(rng: random.Random, shape: tuple[int, int]) -> Any:
    return rng.choice(
        (
            *[shape] * 6,
            (shape[1], shape[0]),
            (shape[0] + 1, shape[1]),
            (shape[0], shape[1] - 1),
            (0, 0),
            (-1, 4),
            (2**31, 4),
            (4, 2**31 - 1),
            (8.0, 16.0),
            "ab",
            None,
            (8,),
            torch.tensor([8, 16]),
        )
    )


def constructor(rng: random.Random, folder: Path) -> Call:
    a = any_format(rng)
    parts: dict[str, Any] = dict(a.components())
    for name in rng.sample(sorted(parts), rng.choice((0, 1, 1, 2))):
        parts[name] = hostile_tensor(rng, parts[name])
    numbers: dict[str, Any] = {"shape": hostile_shape(rng, a.shape)}
    if isinstance(a, NM):
        numbers |= {
            "n": rng.choice((2, 2, 2, 0, 4, -1, 2.0)),
            "m": rng.choice((4, 4, 4, 0, 2, 257, 16, None)),
        }
    if rng.random() < 0.1:
        parts["row_scale"] = hostile_tensor(rng, torch.ones(a.shape[0]))
    return partial(build_and_multiply, type(a), parts | numbers)


def build_and_multiply(kind: type[SparseMatrix], arguments: dict[str, Any]) -> None:
    agrees_with_dense(kind(**arguments))


def agrees_with_dense(a: SparseMatrix) -> None:
    """What a constructor lets pass converts, multiplies and equals its dense self."""
    a.check()
    if a.device.type == "meta" or a.shape[0] * a.shape[1] > 2**16 or a.dtype == torch.float64:
        return
    w = a.to_dense()
    assert torch.equal(convert(a, CSR).to_dense(), w) or w.isnan().any()
    if not w.isfinite().all():
        return
    b = torch.randn(a.shape[1], 3).to(w.dtype if a.dtype != torch.int8 else torch.float32)
    c, expected = tamis.spmm(a, b).double(), w.double() @ b.double()
    scale = (w.double().abs() @ b.double().abs()).clamp(min=1e-30)
    assert ((c - expected).abs() <= 0.01 * scale).all()


def entries(rng: random.Random, folder: Path) -> Call:
    """Coordinates and unsorted rows."""
    a = CSR.from_dense(dense(rng))
    shape = hostile_shape(rng, a.shape)
    duplicates = rng.choice(("sum", "sum", "error", "mean"))
    columns, values = hostile_tensor(rng, a.col_indices), hostile_tensor(rng, a.values)
    if rng.random() < 0.5:
        pointers = hostile_tensor(rng, a.crow_indices)
        return lambda: agrees_with_dense(
            CSR.from_unsorted(pointers, columns, values, shape, duplicates=duplicates)
        )
    rows = hostile_tensor(rng, a.row_indices().int())
    return lambda: agrees_with_dense(CSR.from_coo(rows, columns, values, shape, duplicates=duplicates))


def from_dense(rng: random.Random, folder: Path) -> Call:
    w = hostile_tensor(rng, dense(rng))
    mask = rng.choice((None, None, hostile_tensor(rng, torch.rand(8, 16) < 0.5)))
    block = rng.choice(((4, 2), (8, 16), (3, 2), (0, 1), (-4, 2), (4.0, 2), 4, None, (2**40, 1)))
    n, m = rng.choice(((2, 4), (1, 2), (0, 4), (5, 4), (2, 0), (1, 300), (True, 4), ("2", 4)))
    return rng.choice(
        (
            lambda: agrees_with_dense(CSR.from_dense(w, mask=mask)),
            lambda: agrees_with_dense(Bitmap.from_dense(w, mask=mask)),
            lambda: agrees_with_dense(BSR.from_dense(w, block, mask=mask)),
            lambda: agrees_with_dense(NM.from_dense(w, n, m, mask=mask)),
        )
    )


BOTH = (ValueError, TypeError)
TARGETS = (
    Target("mtx", mtx),
    Target("smtx", smtx),
    Target("safetensors", safetensors),
    Target("constructor", constructor, BOTH),
    Target("entries", entries, BOTH),
    Target("from_dense", from_dense, BOTH),
)
