"""Which instruction sets a kernel is run with."""

from tamis.kernels.cpu import native


def of(kernel: str) -> list[str]:
    """All that were compiled, for native kernels; reference code is the same for each, so one is enough."""
    return native().isas_compiled() if kernel.startswith("cpu/") else [native().isa()]
