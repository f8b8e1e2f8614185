"""From any format to any other, by way of CSR."""

from typing import TypeVar, cast

from tamis.formats.bitmap import Bitmap
from tamis.formats.bsr import BSR
from tamis.formats.csr import CSR
from tamis.formats.matrix import SparseMatrix
from tamis.formats.nm import NM

M = TypeVar("M", bound=SparseMatrix)


def convert(
    a: SparseMatrix,
    target: type[M],
    *,
    blocksize: tuple[int, int] | None = None,
    n: int | None = None,
    m: int | None = None,
) -> M:
    """Return the same matrix in another format, with the same values bit for bit.

    CSR and Bitmap keep every stored entry. BSR and NM have fixed slots, and fill those that no entry takes with +0.0;
    on the way out of them a stored +0.0 is therefore taken for fill and left behind (-0.0 and NaN stay).

    Parameters
    ----------
    a : CSR, BSR, NM or Bitmap
    target : type
        One of these four classes.
    blocksize : (int, int)
        For BSR, and only there.
    n, m : int
        For NM, and only there.

    Returns
    -------
    An object of class ``target``; ``a`` itself if it has that format and layout already.

    Raises
    ------
    ValueError
        If the layout arguments do not belong to the target, or the target cannot hold the matrix.

    Examples
    --------
    >>> convert(a, BSR, blocksize=(4, 1))
    """
    layouts = {CSR: (), BSR: (blocksize,), NM: (n, m), Bitmap: ()}
    call = f"convert(a, {getattr(target, '__name__', target)})"
    if target not in layouts:
        raise TypeError(f"{call}: the target must be one of the classes CSR, BSR, NM and Bitmap.")
    layout = layouts[target]
    if None in layout or len(layout) != sum(argument is not None for argument in (blocksize, n, m)):
        expected = {BSR: "exactly blocksize=(bh, bw)", NM: "exactly n= and m="}.get(
            target, "no layout arguments"
        )
        raise ValueError(f"{call}: expected {expected}, but got blocksize={blocksize}, n={n}, m={m}.")
    if isinstance(a, target) and _layout_of(a) == tuple(layout):
        return a
    made: SparseMatrix = target.from_csr(a.to_csr(), *layout)  # type: ignore[attr-defined]
    return cast(M, made)


def _layout_of(a: SparseMatrix) -> tuple[object, ...]:
    if isinstance(a, BSR):
        return (a.blocksize,)
    return (a.n, a.m) if isinstance(a, NM) else ()
