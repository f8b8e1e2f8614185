"""The compiled module ``tamis._cpu``, loaded on first use."""

from __future__ import annotations

import functools
import importlib
import os
from types import ModuleType

import torch
from torch import Tensor

ELEMENTS = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}
STORED = {**ELEMENTS, torch.int8: 3}
ACTIVATIONS = {None: 0, "relu": 1, "gelu": 2, "silu": 3}
ISA_VARIABLE = "TAMIS_CPU_ISA"


@functools.cache
def native() -> ModuleType:
    """Return ``tamis._cpu``, with the instruction set that ``TAMIS_CPU_ISA`` names, if it names one.

    Raises
    ------
    ValueError
        If ``TAMIS_CPU_ISA`` is set to a name that is unknown or that this CPU lacks.
    """
    # torch is imported above, so its own libgomp is the one OpenMP runtime of the process.
    _cpu = importlib.import_module("tamis._cpu")
    if name := os.environ.get(ISA_VARIABLE):
        force_isa(name, _cpu)
    return _cpu


def force_isa(name: str, module: ModuleType | None = None) -> None:
    """Run the native kernels of one instruction set from here on; ``"auto"`` for the best this CPU has.

    Plans made before keep their layout and stay right, but were made for another vector width.
    """
    module = module or native()
    if not module.force_isa(name):
        raise ValueError(
            f"{ISA_VARIABLE}={name}: this CPU can run {', '.join(module.isas_supported())}; "
            f"compiled in are {', '.join(module.isas_compiled())}. Unset it to take the best."
        )


def address(tensor: Tensor) -> int:
    """Where the numbers of a tensor begin.

    Raises
    ------
    RuntimeError
        If it has none: it is on the meta device, or a FakeTensor. C++ would read from address 0.
    """
    start = tensor.data_ptr()
    if start == 0 and tensor.numel():
        raise RuntimeError(
            f"a native kernel of tamis needs a {tensor.dtype} tensor of shape {tuple(tensor.shape)}, but it holds no "
            f"numbers ({type(tensor).__name__}, device {tensor.device}). Make matrices, coordinates and plans outside of "
            f"torch.device('meta') and of FakeTensorMode."
        )
    return start


def isa() -> str:
    """The instruction set that the native kernels run on: "avx512", "avx2" or "baseline"."""
    name: str = native().isa()
    return name
