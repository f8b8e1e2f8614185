"""A linear layer whose weight is sparse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from tamis.formats import CSR, NM, SparseMatrix
from tamis.ops.spmm import SpmmPlan, linear, plan_spmm

# (largest n served, n that the plan is chosen for); the last serves all above too.
BUCKETS = ((1, 1), (8, 8), (48, 32), (256, 128), (2**62, 512))


class SparseLinear(nn.Module):
    """``y = x @ W.T + bias`` with a sparse W, in place of an ``nn.Linear``.

    The stored weights are the parameter ``values``, their places are buffers, so optimizers, ``state_dict``,
    ``torch.compile`` and ``torch.export`` see ordinary tensors; the zeros stay zeros in training. The layer holds
    one plan per range of n (1, 2-8, 9-48, 49-256, above), made at once; those of the same layout share its tensors.

    Parameters
    ----------
    matrix : CSR, BSR, NM or Bitmap, shape (m, k)
        W. Its tensors are kept, not copied.
    bias : Tensor, shape (m,), optional
    kernel : str, optional
        Use this kernel for every n, instead of the one that each plan would choose.

    Attributes
    ----------
    in_features, out_features : int
        k and m.
    plans : tuple of SpmmPlan
        One per range of n.

    Raises
    ------
    TypeError, ValueError   if matrix and bias do not fit together.
    NotImplementedError     if no kernel covers the matrix; the message lists each candidate and its reason.
    """

    values: nn.Parameter
    bias: nn.Parameter | None
    plans: tuple[SpmmPlan, ...] | None

    def __init__(
        self, matrix: SparseMatrix, bias: Tensor | None = None, *, kernel: str | None = None
    ) -> None:
        super().__init__()
        _check_arguments(matrix, bias)
        self.out_features, self.in_features = matrix.shape
        self.kernel = kernel
        self._format = type(matrix)
        self._numbers: dict[str, Any] = {"shape": matrix.shape}
        if isinstance(matrix, NM):
            self._numbers |= {"n": matrix.n, "m": matrix.m}
        for name, tensor in matrix.components().items():
            if name == "values":
                self.values = _parameter(tensor)
            else:
                self.register_buffer(name, tensor)
        self.bias = None if bias is None else _parameter(bias)
        self._matrix = matrix.with_values(self.values) if self.values.is_floating_point() else matrix
        self.plans = self._make_plans()

    @classmethod
    def from_dense(
        cls,
        layer: nn.Linear,
        to_sparse: Callable[[Tensor], SparseMatrix] = CSR.from_dense,
        *,
        kernel: str | None = None,
    ) -> Self:
        """Store the nonzero weights of a linear layer.

        Parameters
        ----------
        layer : nn.Linear
            Left unchanged; both layers share the bias parameter.
        to_sparse : callable
            Dense (m, k) -> format; CSR by default, ``partial(BSR.from_dense, blocksize=(4, 1))`` for others.
        kernel : str, optional
            As for the constructor.
        """
        new = cls(to_sparse(layer.weight.detach()), layer.bias, kernel=kernel)
        new.values.requires_grad_(layer.weight.requires_grad)
        return new.train(layer.training)

    @property
    def matrix(self) -> SparseMatrix:
        """W as a format object on the layer's own tensors; differentiable in ``values``."""
        if self._matrix.values is self.values:
            return self._matrix
        return self._matrix.with_values(self.values)  # swapped in by functional_call or an assignment

    @property
    def nbytes(self) -> int:
        """Bytes of values, indices and bias, and of the plans' packed weights, each memory counted once."""
        own = [*self.parameters(), *self.buffers()]
        packed = [tensor for plan in self.plans or () for tensor in plan.packed]
        return sum({tensor.data_ptr(): tensor.nbytes for tensor in own + packed}.values())

    def plan_for(self, n: int) -> SpmmPlan:
        """Return the plan that serves inputs of n rows.

        Raises
        ------
        NotImplementedError   if no kernel serves the dtype or device that the layer was moved to.
        """
        plans = self.plans or self._make_plans()
        return next(plan for plan, (bound, _) in zip(plans, BUCKETS, strict=True) if n <= bound)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (..., k) to (..., m), in the dtype of the weights.

        Under autocast the product is taken in the dtype of the weights, and the result has autocast's dtype, as
        that of ``nn.Linear``.
        """
        n = x.numel() // max(self.in_features, 1)
        plan = self.plan_for(n)
        if not torch.is_autocast_enabled(x.device.type):
            return linear(x, self.matrix, self.bias, plan=plan)
        y = linear(x.to(self.values.dtype), self.matrix, self.bias, plan=plan)
        return y.to(torch.get_autocast_dtype(x.device.type))

    def to_dense(self) -> nn.Linear:
        """Return the equal ``nn.Linear``, on copies of the tensors."""
        layer = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        layer.weight = nn.Parameter(self.matrix.to_dense().detach())
        if self.bias is not None:
            layer.bias = nn.Parameter(self.bias.detach().clone())
        return layer.train(self.training)

    def extra_repr(self) -> str:
        kernels = ", ".join(dict.fromkeys(plan.kernel for plan in self.plans)) if self.plans else "no kernel"
        return f"{self.matrix!r}, bias={self.bias is not None}, {kernels}"

    def _renew(self) -> None:
        """Build the matrix and its plans on the tensors that the module holds now."""
        parts = {name: getattr(self, name) for name in (*self._buffers, "values")}
        self._matrix = self._format(**parts, **self._numbers)
        try:
            self.plans = self._make_plans()
        except NotImplementedError:
            self.plans = (
                None  # moved to where no kernel runs; plan_for says so once there is something to compute
            )

    def _make_plans(self) -> tuple[SpmmPlan, ...]:
        plans = [plan_spmm(self.matrix, n, kernel=self.kernel) for _, n in BUCKETS]
        packed = {(plan.kernel, plan.sizes): plan.packed for plan in reversed(plans)}
        return tuple(replace(plan, packed=packed[plan.kernel, plan.sizes]) for plan in plans)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        self._renew()  # to(), half(), share_memory() ...: the tensors are new, or hold other numbers
        return self

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        if not any(prefix + name in state_dict for name in (*self._buffers, "values")):
            super()._load_from_state_dict(
                state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
            )
            return
        # Sizes and indices from outside are checked before any is copied: half a structure would be worse than none.
        own = {name: getattr(self, name) for name in (*self._buffers, "values")}
        parts = {name: state_dict.get(prefix + name, tensor) for name, tensor in own.items()}
        if wrong := [name for name, tensor in own.items() if parts[name].shape != tensor.shape]:
            sizes = ", ".join(
                f"{name} {tuple(parts[name].shape)} for {tuple(own[name].shape)}" for name in wrong
            )
            error_msgs.append(f"size mismatch for {prefix}: it holds another number of weights: {sizes}.")
            return
        try:
            self._format(**parts, **self._numbers)
        except (TypeError, ValueError) as error:
            error_msgs.append(f"{prefix.rstrip('.') or 'SparseLinear'}: {error}")
            return
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        self._renew()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_matrix", "plans")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._renew()


def _parameter(tensor: Tensor) -> nn.Parameter:
    if isinstance(tensor, nn.Parameter):
        return tensor
    return nn.Parameter(tensor.detach(), requires_grad=tensor.is_floating_point())


def _check_arguments(matrix: object, bias: Tensor | None) -> None:
    if not isinstance(matrix, SparseMatrix):
        raise TypeError(
            f"SparseLinear(matrix): got {type(matrix).__name__}, expected CSR, BSR, NM or Bitmap; "
            "SparseLinear.from_dense(layer) takes an nn.Linear."
        )
    if bias is not None and bias.shape != matrix.shape[:1]:
        raise ValueError(
            f"SparseLinear(matrix, bias): the matrix has {matrix.shape[0]} rows, so bias needs shape "
            f"({matrix.shape[0]},), but has {tuple(bias.shape)}."
        )
