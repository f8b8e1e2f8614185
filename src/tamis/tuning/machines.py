"""The constants of a machine: those that `tamis tune` measured here, else those shipped for its instruction set."""

from __future__ import annotations

from tamis.tuning.cost import KernelPrices, Machine
from tamis.tuning.store import load_machine

# Measured by `tamis tune` on a Zen 5 core (baseline: scaled from single cells). They are a prior: another CPU
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
            dense_gflops=((1, 39.0), (4, 44.0), (8, 63.0), (16, 84.0), (32, 96.0), (64, 103.0), (256, 108.0)),
            dense_bytes_per_ns=26.0,
            kernels={
                "cpu/spmm_csr": KernelPrices(
                    fma=0.59, step=0.43, group=0.0, sums=3.8, slice=1.1, column=0.66
                ),
                "cpu/spmm_bsr": KernelPrices(fma=0.36, step=0.46, group=0.0, sums=2.1, slice=1.0, column=0.4),
                "cpu/spmv_window": KernelPrices(fma=0.24, step=0.1, group=4.0, sums=2.0, slice=0.1),
            },
        ),
        Machine(
            name="avx2",
            width=8,
            panel_vectors=3,
            call_us=4.0,
            thread_efficiency=0.95,
            dense_gflops=((1, 39.0), (4, 44.0), (8, 63.0), (16, 84.0), (32, 96.0), (64, 103.0), (256, 108.0)),
            dense_bytes_per_ns=26.0,
            kernels={
                "cpu/spmm_csr": KernelPrices(
                    fma=0.63, step=0.02, group=0.0, sums=3.2, slice=0.59, column=0.8
                ),
                "cpu/spmm_bsr": KernelPrices(
                    fma=0.42, step=0.19, group=0.0, sums=2.1, slice=0.56, column=0.4
                ),
                "cpu/spmv_window": KernelPrices(fma=1.0, step=8.0, group=12.0, sums=3.0, slice=0.5),
            },
        ),
        Machine(
            name="baseline",
            width=4,
            panel_vectors=3,
            call_us=4.0,
            thread_efficiency=0.95,
            dense_gflops=((1, 39.0), (4, 44.0), (8, 63.0), (16, 84.0), (32, 96.0), (64, 103.0), (256, 108.0)),
            dense_bytes_per_ns=26.0,
            kernels={
                "cpu/spmm_csr": KernelPrices(fma=1.2, step=0.5, group=5.0, sums=0.5, slice=0.6, column=0.9),
                "cpu/spmm_bsr": KernelPrices(fma=1.1, step=0.3, group=5.0, sums=0.5, slice=0.6, column=0.5),
                "cpu/spmv_window": KernelPrices(fma=1.0, step=10.0, group=12.0, sums=3.0, slice=0.5),
            },
        ),
    )
}


def machine_for(isa: str, threads: int) -> Machine:
    """Return the tuned constants of this device, ISA and number of threads, or the shipped ones of the ISA."""
    return load_machine(isa, threads) or SHIPPED[isa]
