"""The command ``tamis``: one file per verb, each imported only when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

import tamis

# verb -> (module with a typer app or function, one line of help)
VERBS: dict[str, tuple[str, str]] = {
    "tour": (
        "tamis.cli.tour",
        "A real model from dense to sparse, compared layer by layer; writes a report.",
    ),
    "doctor": ("tamis.cli.doctor", "Tell CPU, instruction sets, threads, versions, and what is missing."),
    "tune": ("tamis.cli.tune", "Measure this machine's constants, so that plans are chosen for it."),
    "explain": ("tamis.cli.explain", "Say which kernel a matrix would run on, how fast, and why."),
    "bench": ("tamis.cli.bench", "Measure against dense PyTorch and every installable peer."),
    "data": ("tamis.cli.data", "Make the matrices that the benchmarks run on."),
    "prune": ("tamis.cli.prune", "Prune a transformers model and save it."),
    "voxel": ("tamis.cli.voxel", "Point clouds: train, segment, profile."),
    "emotion": ("tamis.cli.emotion", "Speech emotion: corpora, features, training, prediction."),
}


class LazyVerbs(TyperGroup):
    """A group that knows its verbs by name and imports one when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Every verb's module holds ``app``, a typer application of one command or several."""
        if cmd_name not in VERBS:
            return None
        command = typer.main.get_command(importlib.import_module(VERBS[cmd_name][0]).app)
        command.name = cmd_name
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """List the verbs from the table, so that asking for help imports none of them."""
        console = Console(highlight=False)
        console.print("\n  [bold]tamis[/] VERB …   sparse deep-learning inference for PyTorch\n")
        for name, (_, text) in VERBS.items():
            console.print(f"  [bold cyan]{name:<8}[/] {text}")
        console.print("\n  tamis VERB --help tells more. tamis --version\n")


app = typer.Typer(
    cls=LazyVerbs, add_completion=False, context_settings={"help_option_names": ["-h", "--help"]}
)


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Sparse deep-learning inference for PyTorch: what matters stays, the zeros fall through."""
    if version:
        typer.echo(f"tamis {tamis.__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line; a mistake of the user is one clear sentence and exit code 2, not a traceback."""
    try:
        typer.main.get_command(app)()
    except (ValueError, OSError, NotImplementedError, ModuleNotFoundError) as mistake:
        if os.environ.get("TAMIS_TRACEBACK"):
            raise
        typer.echo(f"tamis: {mistake}", err=True)
        sys.exit(2)
