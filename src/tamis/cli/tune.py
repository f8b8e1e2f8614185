"""``tamis tune``: measure this machine's constants."""

from __future__ import annotations

from dataclasses import replace

import torch
import typer
from rich.console import Console
from rich.progress import Progress

from tamis.kernels.cpu import isa
from tamis.ops.sparse_conv import tune_sparse_conv
from tamis.ops.spmm import tune_spmm
from tamis.tuning import forget_machine, save_machine

app = typer.Typer(add_completion=False)


@app.command()
def tune() -> None:
    """Measure kernels and dense products for some seconds and keep the constants; plans made afterwards use them."""
    console = Console()
    forget_machine(isa(), torch.get_num_threads())
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("measuring")

        def progress(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        machine = tune_spmm(progress)
        machine = replace(machine, kernels={**machine.kernels, **tune_sparse_conv(progress)})
    path = save_machine(machine, isa(), torch.get_num_threads())
    for name, prices in machine.kernels.items():
        console.print(f"{name}: {prices}")
    console.print(
        f"dense: {machine.dense_gflops[-1][1]:.0f} GFLOP/s a thread at n = {machine.dense_gflops[-1][0]}"
    )
    console.print(f"kept in {path}", soft_wrap=True)
