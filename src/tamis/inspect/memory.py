"""Which tensors are the same memory."""

from torch import Tensor


def memory_of(tensor: Tensor) -> tuple[object, ...]:
    """Identify the memory a tensor looks at: equal for tied weights, also when they are different objects."""
    if tensor.is_meta or not tensor.numel():
        return (id(tensor),)
    start = tensor.untyped_storage().data_ptr()
    return (tensor.device, tensor.dtype, start, tensor.storage_offset(), tuple(tensor.shape), tensor.stride())
