"""The command ``tamis``: one file per verb, each imported only when it is called."""

from __future__ import annotations

import importlib
import sys

import click
import typer

# verb -> (module with a typer app or function, one line of help)
VERBS: dict[str, tuple[str, str]] = {
    "tour": (
        "tamis.cli.tour",
        "Prune a real model, run it on sparse kernels, and compare with dense PyTorch.",
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


class LazyVerbs(click.Group):
    """A group that knows its verbs by name and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        return _command(importlib.import_module(VERBS[name][0]), name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


def _command(module: object, name: str) -> click.Command:
    """Every verb's module holds ``app``, a typer application of one command or several."""
    command = typer.main.get_command(module.app)  # type: ignore[attr-defined]
    command.name = name
    return command


@click.group(cls=LazyVerbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tamis")
def cli() -> None:
    """tamis: sparse deep-learning inference for PyTorch. What matters stays, the zeros fall through."""


def main() -> None:
    """Run the command line; a mistake of the user is one clear sentence and exit code 2, not a traceback."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
    except click.ClickException as mistake:
        mistake.show()
        sys.exit(mistake.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        sys.exit(130)
    except (ValueError, FileNotFoundError, NotImplementedError, ModuleNotFoundError) as mistake:
        click.echo(f"tamis: {mistake}", err=True)
        sys.exit(2)
