"""Which tensors are the same memory, and what becomes of memory that nobody holds."""

import ctypes

import torch
from torch import Tensor, nn


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is numbers in memory: not of a subclass (quantised, distributed), a sparse layout or a quantised dtype."""
    return (
        type(tensor) in (Tensor, nn.Parameter, nn.Buffer)
        and tensor.layout == torch.strided
        and not tensor.is_quantized
    )


def memory_of(tensor: Tensor) -> tuple[object, ...]:
    """Identify the memory a tensor looks at: equal for tied weights, also when they are different objects."""
    if tensor.is_meta or not is_plain(tensor) or not tensor.numel():
        return (id(tensor),)
    start = tensor.untyped_storage().data_ptr()
    return (tensor.device, tensor.dtype, start, tensor.storage_offset(), tuple(tensor.shape), tensor.stride())


def return_free_memory() -> None:
    """Hand freed heap back to the operating system, where the C library can (glibc): it keeps what lies below live memory."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
