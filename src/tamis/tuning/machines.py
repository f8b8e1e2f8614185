"""The constants of a machine: those that `tamis tune` measured here, else those shipped for its instruction set."""

from __future__ import annotations

from tamis.tuning.cost import KernelPrices, Machine
from tamis.tuning.store import load_machine

# Measured by `tamis tune` (docs/results/machines.csv): avx512, avx2 and baseline on a Zen 5 core. They are a prior: another CPU
# of the same ISA differs by a factor or two, mostly the same one for sparse and dense.
SHIPPED: dict[str, Machine] = {
    machine.name: machine
    for machine in (
        Machine(
            name="avx512",
            width=16,
            panel_vectors=4,
            call_us=4.0,
            thread_efficiency=0.95,
            dense_gflops=((1, 36.0), (8, 60.0), (32, 92.0), (64, 97.0), (256, 101.0)),
            dense_bytes_per_ns=26.0,
            kernels={
                "cpu/spmm_csr": KernelPrices(fma=0.62, step=0.3, group=6.0, sums=0.6, slice=0.8),
                "cpu/spmm_bsr": KernelPrices(fma=0.50, step=0.1, group=6.0, sums=0.6, slice=0.8),
            },
        ),
        Machine(
            name="avx2",
            width=8,
            panel_vectors=3,
            call_us=4.0,
            thread_efficiency=0.95,
            dense_gflops=((1, 36.0), (8, 60.0), (32, 92.0), (64, 97.0), (256, 101.0)),
            dense_bytes_per_ns=26.0,
            kernels={
                "cpu/spmm_csr": KernelPrices(fma=0.60, step=0.3, group=5.0, sums=0.5, slice=0.6),
                "cpu/spmm_bsr": KernelPrices(fma=0.50, step=0.2, group=5.0, sums=0.5, slice=0.6),
            },
        ),
        Machine(
            name="baseline",
            width=4,
            panel_vectors=3,
            call_us=4.0,
            thread_efficiency=0.95,
            dense_gflops=((1, 36.0), (8, 60.0), (32, 92.0), (64, 97.0), (256, 101.0)),
            dense_bytes_per_ns=26.0,
            kernels={
                "cpu/spmm_csr": KernelPrices(fma=1.2, step=0.5, group=5.0, sums=0.5, slice=0.6),
                "cpu/spmm_bsr": KernelPrices(fma=1.1, step=0.3, group=5.0, sums=0.5, slice=0.6),
            },
        ),
    )
}


def machine_for(isa: str, threads: int) -> Machine:
    """Return the tuned constants of this device, ISA and number of threads, or the shipped ones of the ISA."""
    return load_machine(isa, threads) or SHIPPED[isa]
