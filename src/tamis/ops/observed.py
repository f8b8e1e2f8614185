"""Who looks at an operator. Where somebody does it must go through torch's dispatcher; else its kernel is called directly, which
saves 20 us."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch.autograd import forward_ad
from torch.nn import Parameter
from torch.utils._python_dispatch import _disable_current_modes, is_in_torch_dispatch_mode


def observed(*operands: Tensor | None) -> bool:
    """True if a tracer, a transform, a mode or a tensor subclass must see the operator, or a lazy sign must be resolved."""
    if torch.compiler.is_compiling():  # first: it cannot trace is_neg
        return True
    for tensor in operands:
        if tensor is not None and not (
            type(tensor) in (Tensor, Parameter) and tensor.is_cpu and not tensor.is_neg()
        ):
            return True
    return (
        torch._C._get_tracing_state() is not None  # recorded() and transformed(), without their calls
        or is_in_torch_dispatch_mode()
        or forward_ad._current_level >= 0
        or torch._C._functorch.maybe_current_level() is not None
        or torch._C._len_torch_function_stack() > 0
        or torch._C._autograd._profiler_enabled()
    )


def recorded() -> bool:
    """True where what runs now may run again with other numbers: torch.compile, torch.export, torch.jit.trace, modes."""
    return (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or is_in_torch_dispatch_mode()
    )


def transformed(*tensors: Tensor) -> bool:
    """True inside forward-mode AD and the transforms of torch.func, which know nothing of an operator of our own.

    ``tensors`` are asked whether they are a batch of gradients (``is_grads_batched``): that transform leaves no other trace.
    """
    return (
        forward_ad._current_level >= 0
        or torch._C._functorch.maybe_current_level() is not None
        or any(torch._C._functorch.is_legacy_batchedtensor(tensor) for tensor in tensors)
    )


@contextmanager
def unobserved() -> Iterator[None]:
    """Work on structure, which no tracer, transform or mode may see, whose tensors they would replace by stand-ins.

    Tensors made inside are no inference tensors, so that what is planned in inference mode serves training later.
    """
    traced = torch._C._get_tracing_state()
    with ExitStack() as stack:
        stack.callback(torch._C._set_tracing_state, traced)  # type: ignore[attr-defined]
        torch._C._set_tracing_state(None)  # type: ignore[attr-defined]
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        if is_in_torch_dispatch_mode():
            stack.enter_context(_disable_current_modes())
        if torch._C._functorch.maybe_current_level() is not None:
            stack.enter_context(temporarily_clear_interpreter_stack())
        yield


def refuse_trace(call: str, cure: str) -> None:
    """Raise while ``torch.jit.trace`` records: it would keep the structure of these coordinates for all that follow."""
    if torch._C._get_tracing_state() is not None:
        raise RuntimeError(
            f"{call} under torch.jit.trace: the trace would keep its result for all coordinates. {cure}"
        )
