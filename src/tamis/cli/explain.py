"""``tamis explain FILE --n 128``: which kernel, how fast, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import tamis
from tamis.formats import SparseMatrix
from tamis.ops.spmm import measure_candidates

app = typer.Typer(add_completion=False)


@app.command()
def explain(
    file: Annotated[Path, typer.Argument(help="A .smtx, .mtx or saved matrix (.safetensors).")],
    n: Annotated[int, typer.Option(help="Columns of the dense operand: tokens, samples.", min=1)] = 128,
    measure: Annotated[bool, typer.Option(help="Time every candidate and dense, too.")] = False,
) -> None:
    """Print each kernel's expected time for a matrix, the dense time, the verdict, and where it would flip."""
    a = as_float(tamis.load(file))
    console = Console(soft_wrap=True, highlight=False)
    console.print(tamis.plan_spmm(a, n).explain(), markup=False)
    if measure:
        for name, time_us in measure_candidates(a, n).items():
            console.print(f"  {name:<16} {time_us:9.1f} us measured", markup=False)


def as_float(a: SparseMatrix) -> SparseMatrix:
    """float64, which Matrix Market files hold, as float32, which the kernels take."""
    import torch

    return a.to(torch.float32) if a.dtype == torch.float64 else a
