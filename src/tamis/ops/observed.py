"""When an operator must go through torch's dispatcher; else its kernel is called directly, which saves 20 us."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils._python_dispatch import is_in_torch_dispatch_mode


def observed(tensor: Tensor) -> bool:
    """True if a tracer, a transform, a mode or a tensor subclass must see the operator."""
    return (
        type(tensor) is not Tensor
        or tensor.device.type != "cpu"
        or torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or forward_ad._current_level >= 0  # transformed(), without the call
        or torch._C._functorch.maybe_current_level() is not None
        or is_in_torch_dispatch_mode()
        or torch._C._autograd._profiler_enabled()
    )


def transformed() -> bool:
    """True inside forward-mode AD and the transforms of torch.func, which know nothing of an operator of our own."""
    return forward_ad._current_level >= 0 or torch._C._functorch.maybe_current_level() is not None
