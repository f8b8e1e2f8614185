"""The plan of an SpMM: chosen kernel, packed structure, reason. Structure only; the numbers flow through it."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from tamis.formats import SparseMatrix
from tamis.kernels.cpu import PackedMatrix, isa
from tamis.ops.choice import Candidate, Choice, choose, time_text
from tamis.ops.observed import recorded, unobserved
from tamis.ops.spmm.checks import check_matrix
from tamis.ops.spmm.cost import SpmmProblem
from tamis.ops.spmm.kernels import KERNELS
from tamis.ops.spmm.transposed import kept_bytes
from tamis.tuning import machine_for


def plan_spmm(a: SparseMatrix, n: int, *, kernel: str | None = None, compute: str = "float32") -> SpmmPlan:
    """Choose a kernel for ``spmm(a, b)`` with b of n columns, and pack ``a`` for it.

    The plan serves every n correctly; it was chosen for this one.

    Parameters
    ----------
    a : CSR, BSR, NM or Bitmap, shape (m, k)
    n : int
        Columns of B, i.e. tokens for :func:`linear`.
    kernel : str, optional
        Take this kernel whatever the prediction; a name from ``tamis.ops.spmm.KERNELS``.
    compute : "float32" or "int8"
        "int8" multiplies 8-bit weights with 8-bit activations, sums being exact: each column of B (a token of
        :func:`linear`) is rounded to 256 levels between its least and its largest value (128 levels where the CPU lacks
        VNNI). A token that holds NaN or Inf gives NaN everywhere. For BSR with int8 values, in blocks 4, 8 ... wide and
        1, 4, 8 ... high.

    Raises
    ------
    ValueError            if n is negative, or the kernel or ``compute`` is unknown.
    NotImplementedError   if no kernel can serve ``a``; the message lists each and its reason.

    Examples
    --------
    >>> a = tamis.CSR.from_dense(torch.eye(64))
    >>> plan = tamis.plan_spmm(a, n=16)
    >>> torch.equal(tamis.spmm(a, torch.ones(64, 16), plan=plan), torch.ones(64, 16))
    True
    """
    call = "plan_spmm(a, n)"
    check_matrix(call, a)
    if not isinstance(n, int) or isinstance(n, bool) or n < 0:
        raise ValueError(f"{call}: n is {n!r}, expected a whole number of columns, 0 or more.")
    if compute not in ("float32", "int8"):
        raise ValueError(f"{call}: compute is {compute!r}, expected 'float32' or 'int8'.")
    threads = torch.get_num_threads()
    with unobserved():
        problem = SpmmProblem.of(a, n, machine_for(isa(), threads), threads, compute)
        choice = choose(call, KERNELS, problem, kernel)
        a.check()  # packers follow the indices by address, and a caller may have written into them
        packed, positions = choice.kernel.pack(problem, a)
        return SpmmPlan(problem, choice, packed, positions, a._structure_memo, structure_tensors(a), a.nnz)


def check_plan(call: str, a: SparseMatrix, plan: object) -> None:
    """``plan`` is one, and was made for the structure of ``a``."""
    if not isinstance(plan, SpmmPlan):
        raise TypeError(
            f"{call}: plan is {type(plan).__name__}, expected what tamis.plan_spmm(a, n) returns."
        )
    if not plan.fits(a):
        raise ValueError(
            f"{call}: the plan was made for another structure: it is of {plan.problem!r}, but a is {a!r}. "
            "Plan anew: tamis.plan_spmm(a, n). Changed values need no new plan, changed indices do."
        )


def structure_tensors(a: SparseMatrix) -> dict[str, Tensor]:
    """The component tensors of a matrix that hold no numbers, and the shape of those that do."""
    components = a.components()
    shapes = torch.tensor([*a.shape, *components["values"].shape], device="cpu")
    return {k: v for k, v in components.items() if k not in ("values", "row_scale")} | {"shape": shapes}


class PackedValues:
    """The last packed copy of a plan, and the very tensor and version that it was made from; replaced as a whole."""

    def __init__(self) -> None:
        self._kept: tuple[weakref.ref[Tensor], int, Tensor] | None = None

    def of(self, values: Tensor, positions: Tensor) -> Tensor:
        kept, followed = self._kept, not values.is_inference()  # a tensor of inference mode has no version
        if followed and kept is not None and kept[0]() is values and kept[1] == values._version:
            return kept[2]
        version = values._version if followed else -1
        copy: Tensor = torch.ops.tamis.spmm_pack.default(values.detach(), positions)
        if followed:
            self._kept = weakref.ref(values), version, copy
        return copy

    @property
    def nbytes(self) -> int:
        return 0 if self._kept is None else self._kept[2].nbytes

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedValues, ()  # a copied plan packs anew

    def __deepcopy__(self, memo: dict[int, Any]) -> PackedValues:
        return PackedValues()


@dataclass(frozen=True, eq=False)
class SpmmPlan:
    """How ``spmm(a, b)`` and ``linear(x, a)`` are executed, for one structure; made by :func:`tamis.plan_spmm`.

    A plan serves every n, but was chosen for one. It keeps a packed copy of the values, which follows the tensor it was
    made from: values changed in place are packed again at the next call, another structure is an error. (Changes through
    ``values.data`` are not seen: they do not raise the tensor's version.)

    Attributes
    ----------
    problem : SpmmProblem
        What the choice was made for.
    choice : Choice
        The chosen kernel, the reason, and all candidates.
    packed : PackedMatrix
        The structure as the kernel reads it; opaque to everybody else.
    positions : int32 tensor
        Where each packed value comes from in the flattened values of ``a``; -1 is padding.
    """

    problem: SpmmProblem = field(repr=False)
    choice: Choice[SpmmProblem] = field(repr=False)
    packed: PackedMatrix = field(repr=False)
    positions: Tensor = field(repr=False)
    structure: dict[Any, Any] = field(repr=False)
    indices: dict[str, Tensor] = field(repr=False)
    stored: int = field(repr=False)
    copy: PackedValues = field(default_factory=PackedValues, repr=False)

    @property
    def kernel(self) -> str:
        """Backend and name, e.g. ``"cpu/spmm_csr"``."""
        return self.choice.kernel.name

    @property
    def reason(self) -> str:
        """Who decided: the caller, or the cost model and where its constants come from."""
        return self.choice.reason

    @property
    def n(self) -> int:
        """Columns of B that the choice was made for."""
        return self.problem.n

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return self.choice.candidates

    @property
    def time_us(self) -> float:
        """Expected time of the chosen kernel, microseconds."""
        return self.choice.time_us

    @property
    def dense_time_us(self) -> float:
        """Expected time of the faster dense product, microseconds."""
        p = self.problem
        return p.machine.dense_us(*p.shape, p.n, p.threads)

    @property
    def crossover(self) -> float:
        """The sparsity from which the chosen kernel is expected to beat dense for this shape and n; 1 if never."""
        for percent in range(101):
            if self.choice.kernel.time_us(self.problem.at_density(1 - percent / 100)) < self.dense_time_us:
                return percent / 100
        return 1.0

    @property
    def pays(self) -> bool:
        """True if the chosen kernel is expected to be faster than dense."""
        return self.time_us < self.dense_time_us

    @property
    def nbytes(self) -> int:
        """Bytes of the packed structure, the map from values to packed order, the packed copy; and of Aᵀ once a backward pass asked for it."""
        return self.packed.nbytes + self.positions.nbytes + self.copy.nbytes + kept_bytes(self.packed)

    def packed_values(self, values: Tensor) -> Tensor:
        """The values in packed order: the copy kept from the last call if they have not changed since.

        Raises
        ------
        ValueError   if there are more or fewer of them than the structure has.
        """
        if values.numel() != self.stored:
            raise ValueError(
                f"spmm(a, b): the plan is for {self.stored} stored values, but a.values has {values.numel()}. "
                "Were they resized? a.with_values(values) checks new ones."
            )
        if recorded() or (values.requires_grad and torch.is_grad_enabled()):
            packed: Tensor = torch.ops.tamis.spmm_pack.default(values, self.positions)
            return packed
        return self.copy.of(values, self.positions)

    @property
    def streamed_bytes(self) -> int:
        """Bytes of the matrix that one call reads, if B fits in one panel."""
        return self.packed.nbytes + self.copy.nbytes

    def at(self, n: int) -> SpmmPlan:
        """The same plan, its predictions made for n columns."""
        problem = replace(self.problem, n=n)
        choice = choose("plan.at(n)", KERNELS, problem, self.kernel)
        return replace(self, problem=problem, choice=replace(choice, reason=self.reason))

    def without_format(self) -> SpmmPlan:
        """The plan for a caller who holds the values in packed order: it keeps nothing of the format, and fits none."""
        nowhere = self.positions.new_empty(0)
        return replace(self, positions=nowhere, structure={}, indices={}, copy=PackedValues())

    def fits(self, a: SparseMatrix) -> bool:
        """True if ``a`` has the structure this plan was made for; free when ``a`` shares it, compared when not."""
        if a._structure_memo is self.structure:
            return True
        theirs = structure_tensors(a)
        return theirs.keys() == self.indices.keys() and all(
            x.shape == y.shape and torch.equal(x, y)
            for x, y in zip(theirs.values(), self.indices.values(), strict=True)
        )

    def explain(self) -> str:
        """Return every candidate with its time or its reason, the dense time, and the verdict."""
        ratio, crossover, p = self.dense_time_us / self.time_us, self.crossover, self.problem
        if self.pays:
            verdict = f"sparse wins: {ratio:.2f}x dense; it would from {crossover:.0%} sparsity on"
        elif crossover < 1:
            verdict = (
                f"dense wins: sparse reaches {ratio:.2f}x; it would win from {crossover:.0%} sparsity on"
            )
        else:
            verdict = f"dense wins at any sparsity: sparse reaches {ratio:.2f}x"
        lines = [f"spmm {p!r}, n = {p.n}, {p.threads} threads: {self.kernel} ({self.reason})"]
        lines += [c.describe(self.kernel) for c in self.candidates]
        lines += [f"  {'dense':<16} {time_text(self.dense_time_us)} predicted", f"  {verdict}"]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"SpmmPlan({self.kernel}, n={self.n}, {self.nbytes:,} bytes, {self.reason})"
