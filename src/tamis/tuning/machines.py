"""The constants of a machine: those that `tamis tune` measured here, else those shipped for its instruction set."""

from __future__ import annotations

import dataclasses

from tamis.tuning.cost import KernelPrices, Machine
from tamis.tuning.store import load_machine

# Rates of dense products by number of columns, GFLOP/s a thread.
_DENSE = ((1, 20.0), (4, 26.0), (8, 51.0), (16, 86.0), (32, 99.0), (64, 105.0), (128, 109.0), (512, 109.0))

# Measured by `tamis tune` on a Zen 5 core. They are a prior: another CPU of the same ISA differs by a factor or two,
# mostly the same one for sparse and dense.
SHIPPED: dict[str, Machine] = {
    machine.name: machine
    for machine in (
        Machine(
            name="avx512",
            width=16,
            panel_vectors=4,
            call_us=6.0,
            thread_efficiency=0.96,
            dense_gflops=_DENSE,
            dense_bytes_per_ns=24.0,
            kernels={
                "cpu/spmm_csr": KernelPrices(0.58, 0.27, 0.0, 4.2, 1.1, column=0.67),
                "cpu/spmm_bsr": KernelPrices(0.41, 0.25, 0.0, 2.1, 1.1, column=0.32),
                "cpu/spmv_window": KernelPrices(0.12, 0.67, 0.0, 2.5, 1.1),
            },
        ),
        Machine(
            name="avx2",
            width=8,
            panel_vectors=3,
            call_us=6.0,
            thread_efficiency=0.96,
            dense_gflops=_DENSE,
            dense_bytes_per_ns=24.0,
            kernels={
                "cpu/spmm_csr": KernelPrices(0.64, 0.0, 0.0, 3.9, 0.59, column=0.68),
                "cpu/spmm_bsr": KernelPrices(0.41, 0.22, 0.0, 4.7, 0.37, column=0.34),
                "cpu/spmv_window": KernelPrices(0.69, 6.2, 0.0, 0.0, 6.2),
            },
        ),
        Machine(
            name="baseline",
            width=4,
            panel_vectors=3,
            call_us=6.0,
            thread_efficiency=0.96,
            dense_gflops=_DENSE,
            dense_bytes_per_ns=24.0,
            kernels={
                "cpu/spmm_csr": KernelPrices(0.57, 0.56, 7.5, 0.23, 0.27, column=0.83),
                "cpu/spmm_bsr": KernelPrices(0.92, 0.0, 0.0, 1.3, 0.31, column=0.33),
                "cpu/spmv_window": KernelPrices(0.83, 6.7, 0.0, 0.0, 25.0),
            },
        ),
    )
}


def machine_for(isa: str, threads: int) -> Machine:
    """Return the tuned constants of this device, ISA and number of threads, or the shipped ones of the ISA.

    A tuning that is older than a kernel leaves that kernel its shipped prices.
    """
    shipped, tuned = SHIPPED[isa], load_machine(isa, threads)
    return dataclasses.replace(tuned, kernels=shipped.kernels | tuned.kernels) if tuned else shipped
