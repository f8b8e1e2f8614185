"""Which tensors are the same memory, and what becomes of memory that nobody holds."""

import ctypes

from torch import Tensor


def memory_of(tensor: Tensor) -> tuple[object, ...]:
    """Identify the memory a tensor looks at: equal for tied weights, also when they are different objects."""
    if tensor.is_meta or not tensor.numel():
        return (id(tensor),)
    start = tensor.untyped_storage().data_ptr()
    return (tensor.device, tensor.dtype, start, tensor.storage_offset(), tuple(tensor.shape), tensor.stride())


def return_free_memory() -> None:
    """Hand freed heap back to the operating system, where the C library can (glibc): it keeps what lies below live memory."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
