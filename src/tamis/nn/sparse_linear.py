"""A linear layer whose weight is sparse."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from tamis.formats import CSR, Layout, SparseMatrix
from tamis.nn.dense_weight import DenseWeight
from tamis.ops.spmm import SpmmPlan, linear_packed, plan_spmm

PLANNED_N = 128  # rows of x that a kernel is chosen for, unless the caller knows better


class FormatState(OrderedDict[str, Any]):
    """A destination for ``state_dict`` that gets the tensors of each sparse layer's format, instead of a dense weight."""

    _metadata: OrderedDict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self._metadata = OrderedDict()  # what state_dict gives a destination of its own


class SparseLinear(nn.Module):
    """``y = x @ W.T + bias`` with a sparse W, in place of an ``nn.Linear``.

    The stored weights are the parameter ``values``, in the order in which the kernel reads them: the layer holds its
    numbers once, and any write to them is seen at the next call. Slots of padding stand between
    them; they take no part in any product, and their gradient is zero. The structure is in buffers that stay out of
    ``state_dict``: that holds ``weight`` and ``bias`` as an ``nn.Linear`` does, so that every program that reads one can
    load it, and every layer of this class too. :func:`tamis.save_sparse` writes the format's own tensors.

    Parameters
    ----------
    matrix : CSR, BSR, NM or Bitmap, shape (m, k)
        W. Its values are copied into the kernel's order.
    bias : Tensor, shape (m,), optional
        Kept, not copied.
    kernel : str, optional
        Use this kernel, instead of the one that is predicted to be fastest.
    n : int
        Rows of x that the kernel is chosen for; it serves every number.
    compute : "float32" or "int8"
        As for :func:`tamis.plan_spmm`: "int8" takes the products in 8 bits. The gradient of x is that of the exact product
        with the stored weights.

    Attributes
    ----------
    in_features, out_features : int
        k and m.
    values : Parameter
        Stored weights and padding in the plan's order; see :attr:`matrix` for the format's own.
    plan : SpmmPlan
        How the products are computed.

    Raises
    ------
    TypeError, ValueError   if matrix and bias do not fit together.
    NotImplementedError     if no kernel covers the matrix; the message lists each candidate and its reason.

    Examples
    --------
    >>> layer = torch.nn.Linear(64, 32)
    >>> _ = tamis.prune(layer, sparsity=0.8)
    >>> SparseLinear.from_dense(layer)(torch.randn(5, 64)).shape
    torch.Size([5, 32])
    """

    values: nn.Parameter
    bias: nn.Parameter | None
    row_scale: Tensor | None
    plan: SpmmPlan

    def __init__(
        self,
        matrix: SparseMatrix,
        bias: Tensor | None = None,
        *,
        kernel: str | None = None,
        n: int = PLANNED_N,
        compute: str = "float32",
    ) -> None:
        super().__init__()
        _check_arguments(matrix, bias)
        self.out_features, self.in_features = matrix.shape
        self.kernel, self.compute, self._n = kernel, compute, n
        self.register_buffer("row_scale", matrix.row_scale, persistent=False)
        self.bias = None if bias is None else _parameter(bias)
        self.values = _parameter(self._adopt(matrix))

    @classmethod
    def from_dense(
        cls,
        layer: nn.Linear,
        to_sparse: Callable[[Tensor], SparseMatrix] = CSR.from_dense,
        *,
        kernel: str | None = None,
        n: int = PLANNED_N,
        compute: str = "float32",
    ) -> Self:
        """Store the nonzero weights of a linear layer.

        Parameters
        ----------
        layer : nn.Linear
            Left unchanged; both layers share the bias parameter.
        to_sparse : callable
            Dense (m, k) -> format; CSR by default, ``partial(BSR.from_dense, blocksize=(4, 1))`` for others.
        kernel, n, compute : optional
            As for the constructor.

        Raises
        ------
        TypeError   if ``layer`` is no ``nn.Linear``, or ``to_sparse`` cannot be called.
        """
        if not isinstance(layer, nn.Linear):
            raise TypeError(
                f"SparseLinear.from_dense(layer): got {type(layer).__name__}, expected an nn.Linear; SparseLinear(matrix, bias) takes a matrix."
            )
        if not callable(to_sparse):
            raise TypeError(
                f"SparseLinear.from_dense(layer, to_sparse): got {type(to_sparse).__name__}, expected a callable such as CSR.from_dense."
            )
        new = cls(to_sparse(layer.weight.detach()), layer.bias, kernel=kernel, n=n, compute=compute)
        if new.values.is_floating_point():
            new.values.requires_grad_(layer.weight.requires_grad)
        return new.train(layer.training)

    @property
    def matrix(self) -> SparseMatrix:
        """W as a format object, built anew from the packed numbers; differentiable in ``values``."""
        return self._matrix_of(self.values)

    @property
    def weight(self) -> Tensor:
        """W as a dense tensor, shape (m, k), differentiable in ``values``.

        Its numbers are made at the first operation on it, anew at each reading; shape, dtype and device cost nothing.
        Writing to it is a RuntimeError, since the copy would be lost. ``weight.detach()`` is an ordinary tensor.
        """
        if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
            return self._dense(self.values)
        dtype = self.values.dtype if self.row_scale is None else torch.float32
        return DenseWeight(self.values, self._dense, (self.out_features, self.in_features), dtype)

    @property
    def nbytes(self) -> int:
        """Bytes of everything that the layer holds: numbers, structure, bias."""
        return sum(tensor.nbytes for tensor in (*self.parameters(), *self.buffers()))

    def forward(self, input: Tensor) -> Tensor:
        """Map input (..., k) to (..., m), in the dtype of the weights.

        Under autocast the product is taken in the dtype of the weights, and the result has autocast's dtype, as
        that of ``nn.Linear``.
        """
        return linear_packed(
            self.plan, self.values, self.row_scale, input, self.bias
        )  # nn.Linear's name: layer(input=x)

    def to_dense(self) -> nn.Linear:
        """Return the equal ``nn.Linear``, on copies of the tensors."""
        layer = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        layer.weight = nn.Parameter(self.weight.detach())
        if self.bias is not None:
            layer.bias = nn.Parameter(self.bias.detach().clone())
        return layer.train(self.training)

    def extra_repr(self) -> str:
        return f"{self.plan.problem!r}, bias={self.bias is not None}, {self.plan.kernel}"

    def _adopt(self, matrix: SparseMatrix) -> Tensor:
        """Plan for a matrix, keep its structure, and return its values in the order of the plan."""
        plan = plan_spmm(matrix, self._n, kernel=self.kernel, compute=self.compute)
        values = plan.packed_values(matrix.values.detach())
        self._layout = Layout.of(matrix)
        for name, tensor in zip(plan.packed.names, plan.packed.tensors, strict=True):
            self.register_buffer(name, tensor, persistent=False)
        self.plan = plan.without_format()
        return values

    def _matrix_of(self, values: Tensor) -> SparseMatrix:
        rows, columns = self.plan.packed.entries()
        stored = (rows >= 0).nonzero().squeeze(1)
        return self._layout.build(rows[stored], columns[stored], values[stored], self.row_scale)

    def _places(self) -> Tensor:
        """Where each packed value stands in the flattened (m, k) weight, int64; m * k for padding."""
        rows, columns = self.plan.packed.entries()
        return torch.where(rows < 0, self.out_features * self.in_features, rows * self.in_features + columns)

    def _dense(self, values: Tensor) -> Tensor:
        """Dense (m, k) of packed values."""
        size = self.out_features * self.in_features
        flat = values.new_zeros(size + 1).scatter(
            0, self._places(), values
        )  # the last place takes the padding
        dense = flat[:-1].view(self.out_features, self.in_features)
        return dense if self.row_scale is None else dense.float() * self.row_scale[:, None]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        packed = self.plan.packed
        moved = [self.get_buffer(name) for name in packed.names]
        self.plan = replace(self.plan, packed=packed.from_tensors(moved, packed.sizes))
        return self

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        values = self.values if keep_vars else self.values.detach()
        if isinstance(destination, FormatState):
            tensors = self._matrix_of(values).components()
        else:
            tensors = {"weight": self._dense(values).clone()}  # in memory of its own size, as savers want it
            if self.row_scale is not None:
                tensors["row_scale"] = self.row_scale
        for name, tensor in tensors.items():
            destination[prefix + name] = tensor
        if self.bias is not None:
            destination[prefix + "bias"] = self.bias if keep_vars else self.bias.detach()

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
        """Take a dense ``weight``, or the format's tensors; these are checked before any is copied."""
        own = self._matrix_of(self.values.detach()).components()
        names = {*own, "weight"}
        given = {name: state_dict[prefix + name] for name in names if prefix + name in state_dict}
        rest = {key: tensor for key, tensor in state_dict.items() if key.removeprefix(prefix) not in names}
        dense = given.pop("weight", None)
        packed: Tensor | None = None
        if dense is not None:
            packed = self._packed_from_dense(dense, given.get("row_scale"), prefix, error_msgs)
        elif given:
            missing_keys += [prefix + name for name in own if name not in given and strict]
            packed = self._packed_from(own | given, own, prefix, error_msgs)
        elif strict:
            missing_keys.append(f"{prefix}weight")
        if packed is not None:
            rest[prefix + "values"] = packed
            if self.values.shape != packed.shape:  # another structure needs other padding
                self.values.data = torch.empty_like(packed, dtype=self.values.dtype)
        elif given or dense is not None:
            return
        absent: list[str] = []
        super()._load_from_state_dict(
            rest, prefix, local_metadata, strict, absent, unexpected_keys, error_msgs
        )
        missing_keys += [key for key in absent if key != prefix + "values"]

    def _packed_from_dense(
        self, dense: Tensor, row_scale: Tensor | None, prefix: str, error_msgs: list[str]
    ) -> Tensor | None:
        """Take over a dense weight; None, and a message, if it does not fit.

        The structure stays if it holds all nonzeros, so that stored zeros can go on being trained; else it becomes theirs.
        """
        call = prefix.rstrip(".") or "SparseLinear"
        if tuple(dense.shape) != (self.out_features, self.in_features):
            error_msgs.append(
                f"size mismatch for {prefix}weight: {tuple(dense.shape)} for {(self.out_features, self.in_features)}."
            )
            return None
        if dense.is_meta:
            error_msgs.append(f"{call}: the weight in the state_dict is on the meta device, without values.")
            return None
        dense = dense.detach().to(self.values.device)
        if self.row_scale is None:
            dense = dense.to(self.values.dtype)
        else:
            scale = self.row_scale if row_scale is None else row_scale
            whole = torch.where(scale[:, None] == 0, 0, dense / scale[:, None]).round().clamp(-128, 127)
            if not torch.equal(whole * scale[:, None], dense):
                error_msgs.append(
                    f"{call}: its int8 weights cannot hold this float weight; make the layer from it: SparseLinear.from_dense."
                )
                return None
            self.row_scale.copy_(scale)
            dense = whole.to(torch.int8)
        flat = torch.cat([dense.reshape(-1), dense.new_zeros(1)])
        packed = flat[self._places()]
        if int(packed.count_nonzero()) == int(dense.count_nonzero()):
            return packed
        try:
            return self._adopt(self._layout.from_dense(dense, self.row_scale))
        except (TypeError, ValueError, NotImplementedError) as error:
            error_msgs.append(f"{call}: {error}")
            return None

    def _packed_from(
        self, components: dict[str, Tensor], own: dict[str, Tensor], prefix: str, error_msgs: list[str]
    ) -> Tensor | None:
        """Take over these components of the format; None, and a message, if they are no such matrix."""
        wrong = [name for name in own if components[name].shape != own[name].shape]
        if wrong:
            sizes = ", ".join(f"{n} {tuple(components[n].shape)} for {tuple(own[n].shape)}" for n in wrong)
            error_msgs.append(f"size mismatch for {prefix}: it holds another number of weights: {sizes}.")
            return None
        try:
            matrix = self._layout.from_components(components)
            values = self._adopt(matrix)
        except (TypeError, ValueError, NotImplementedError) as error:
            error_msgs.append(f"{prefix.rstrip('.') or 'SparseLinear'}: {error}")
            return None
        if self.row_scale is not None and matrix.row_scale is not None:
            self.row_scale.copy_(matrix.row_scale)
        return values


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
    if not isinstance(bias, Tensor | None):
        raise TypeError(
            f"SparseLinear(matrix, bias): bias is a {type(bias).__name__}, expected a tensor or None."
        )
    if bias is not None and bias.shape != matrix.shape[:1]:
        raise ValueError(
            f"SparseLinear(matrix, bias): the matrix has {matrix.shape[0]} rows, so bias needs shape "
            f"({matrix.shape[0]},), but has {tuple(bias.shape)}."
        )
