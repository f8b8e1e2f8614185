"""What ``SparseLinear.weight`` is: a tensor that makes its numbers when somebody asks for them.

Code around a layer often asks only for ``layer.weight.dtype`` (T5 does, three times a call): making m*k numbers for that would
take longer than the product. And a write to a tensor that is made anew at each reading would be lost: it is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map_only

Build = Callable[[Tensor], Tensor]

# Answered without numbers.
METADATA = {
    *("device", "dtype", "is_cpu", "is_cuda", "is_leaf", "is_meta", "is_mkldnn", "is_mps", "is_nested"),
    *(
        "is_quantized",
        "is_sparse",
        "is_sparse_csr",
        "is_xla",
        "is_xpu",
        "itemsize",
        "layout",
        "name",
        "names",
    ),
    *("nbytes", "ndim", "requires_grad", "shape"),
    *("__len__", "dim", "element_size", "get_device", "is_complex", "is_contiguous", "is_floating_point"),
    *("is_signed", "ndimension", "nelement", "numel", "size", "stride", "storage_offset"),
}

# Lost on a copy, like writes.
REMEMBERED = {"register_hook", "register_post_accumulate_grad_hook", "retain_grad"}

IN_PLACE = {
    *("__iadd__", "__iand__", "__idiv__", "__ifloordiv__", "__ilshift__", "__imod__", "__imul__", "__ior__"),
    *("__ipow__", "__irshift__", "__isub__", "__itruediv__", "__ixor__", "__setitem__"),
}


class DenseWeight(Tensor):
    """The dense form of packed values, (m, k): metadata at once, numbers at the first operation, writes never.

    Parameters
    ----------
    values : Tensor
        What the numbers are made of.
    build : callable
        values -> dense (m, k), differentiable.
    shape : (int, int)
    dtype : torch.dtype
        Of what ``build`` returns.

    Raises
    ------
    RuntimeError   where it is written to, by an operation on it that is named in the message.
    """

    _packed: Tensor
    _make: Build

    @staticmethod
    def __new__(cls, values: Tensor, build: Build, shape: tuple[int, int], dtype: torch.dtype) -> Self:
        made: Self = Tensor._make_wrapper_subclass(
            cls, shape, dtype=dtype, device=values.device, requires_grad=values.requires_grad
        )
        made._packed, made._make = values, build
        return made

    def __init__(self, *_: object) -> None:
        super().__init__()

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Answer from the metadata, refuse to write, or run the function on the numbers."""
        kwargs = kwargs or {}
        kind, name = _named(func)
        if kind != "__set__" and name in METADATA:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        own = args[0] if args and isinstance(args[0], cls) else None
        if kind == "__get__" and own is not None and name == "grad":
            grad = own._packed.grad
            return None if grad is None else own._make(grad)
        if kind == "__get__" and own is not None and name == "data":
            return cls(own._packed.detach(), own._make, tuple(own.shape), own.dtype)
        if kind == "__set__" or name in REMEMBERED or _writes(name, args, kwargs):
            raise RuntimeError(  # a TypeError would make Python try w = w + 1 for w += 1
                f"SparseLinear.weight: {name!r} would write to a copy of the weight and be lost. Write to layer.values, or make the "
                "layer dense first: tamis.densify(model), layer.to_dense()."
            )
        return func(*_built(args), **_built(kwargs))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch's own stub is of a class without one
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run on the numbers what comes past Python's functions."""
        return func(*_built(args), **_built(kwargs or {}))


def _named(func: Callable[..., Any]) -> tuple[str, str]:
    """Kind and name: ("__get__", "dtype") for an attribute, ("", "mul_") for a function."""
    name = getattr(func, "__name__", str(func))
    if name in ("__get__", "__set__", "__delete__"):
        return name, func.__self__.__name__  # type: ignore[attr-defined]
    return "", name


def _writes(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a function writes to a DenseWeight: in place to its first argument, or to ``out``."""
    in_place = name in IN_PLACE or (name.endswith("_") and not name.endswith("__"))
    written = [kwargs.get("out")]
    if in_place or kwargs.get("inplace"):
        written += [args[:1], *(kwargs.get(key) for key in ("input", "self", "tensor"))]
    return any(isinstance(leaf, DenseWeight) for leaf in tree_flatten(written)[0])


def _built(tree: Any) -> Any:
    return tree_map_only(DenseWeight, lambda weight: weight._make(weight._packed), tree)
