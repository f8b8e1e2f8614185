"""``tamis tour``: a real model pruned, planned, run on sparse kernels, and compared with dense PyTorch; and a street labelled."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from tamis.tour import ModelRow, Street, Tour

app = typer.Typer(add_completion=False)


@app.command()
def tour(
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.")] = Path(
        "tamis-report.html"
    ),
    sparsity: Annotated[
        list[float] | None, typer.Option(help="Share of zeros, such as 0.8; may be given often.")
    ] = None,
    pattern: Annotated[
        list[str] | None,
        typer.Option(help="unstructured, a block such as 4x1, or N:M such as 2:4; may be given often."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Folder of another sentence encoder, instead of MiniLM-L6.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws the calibration sentences and the street.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer configurations; about a minute.")] = False,
) -> None:
    """Prune a real sentence encoder in many ways, run it on sparse kernels, compare with dense PyTorch; label a street."""
    from tamis.pretrained import load_minilm
    from tamis.pruning import parse_pattern
    from tamis.tour import Encoder, Options, label_street, run, verdict, warning, write_report, write_table

    for name in pattern or []:
        parse_pattern(name)
    if wrong := [value for value in sparsity or [] if not 0 < value < 1]:
        raise ValueError(f"tamis tour: --sparsity {wrong[0]:g}: expected a share of zeros such as 0.8.")
    if output.is_dir():
        raise ValueError(
            f"tamis tour: -o {output} is a folder; expected a file such as {output / 'tamis-report.html'}."
        )
    defaults = Options(seed=seed, command=shlex.join(["tamis", *sys.argv[1:]]))
    options = replace(
        defaults,
        sparsities=tuple(sorted(set(sparsity or defaults.sparsities))),
        patterns=tuple(dict.fromkeys(pattern or defaults.patterns)),
    )
    console = Console()
    with _progress(console) as tell:
        tell("loading the model", 0, None, "")
        loaded = load_minilm(model)
        name = "MiniLM-L6" if model is None else model.name
        found = run(
            Encoder(loaded.model, loaded.tokenizer), name, options.quick() if quick else options, tell
        )
        tell("labelling a street", 0, None, "")
        street = label_street(seed, output.with_name(f"{output.stem}-street"))
    found = replace(found, street=street)
    table = output.with_suffix(".csv")
    write_report(found, output)
    write_table(found, table)
    console.print(_models(found))
    console.print(_layers(found))
    console.print(f"\n[bold]{escape(verdict(found))}[/]", highlight=False)
    if words := warning(found):
        console.print(escape(words), style="yellow", highlight=False)
    console.print(f"\n{escape(_street(street))}", highlight=False)
    written = (output, table, street.picture, street.page)
    names = ", ".join(str(path) for path in written if path is not None)
    console.print(f"\nwrote {escape(names)}", soft_wrap=True, highlight=False)


def _street(street: Street) -> str:
    return (
        f"A street it has not seen ({street.name}): {street.points:,} points labelled in {street.ms:.0f} ms by sparse convolutions, "
        f"mIoU {street.mean_iou:.2f}."
    )


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[str, int, int | None, str], None]]:
    """One bar per stage; finished stages stay until the end."""
    columns = (
        TextColumn("{task.description:<32}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        tasks: dict[str, int] = {}

        def tell(stage: str, done: int, total: int | None, what: str) -> None:
            if stage not in tasks:
                for task in tasks.values():
                    bar.update(task, total=1, completed=1, what="")  # type: ignore[arg-type]
                    bar.stop_task(task)  # type: ignore[arg-type]
                tasks[stage] = bar.add_task(stage, total=total, what="")
            bar.update(tasks[stage], completed=done, total=total, what=escape(what))  # type: ignore[arg-type]

        yield tell


def _models(found: Tour) -> Table:
    from tamis.tour import best_row

    table = Table(
        title=f"{found.model}, whole model, {found.sentences} sentences",
        title_justify="left",
        box=None,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("configuration", no_wrap=True)
    heads = (
        "mean\ncosine",
        "min\ncosine",
        "batch\nms",
        "vs\ndense",
        "single\nms",
        "format\nMiB",
        "packed\nMiB",
    )
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    mib = f"{found.dense_bytes / 2**20:.1f}"
    dense, single = found.dense_batch, found.dense_single
    table.add_row("dense PyTorch", "1", "1", f"{dense.ms:.1f}", "1.00×", f"{single.ms:.2f}", mib, "0.0")
    if found.packed_batch and found.packed_single:
        ratio, alone = dense.ms / found.packed_batch.ms, found.packed_single.ms
        table.add_row(
            "dense, weights packed",
            "1",
            "1",
            f"{found.packed_batch.ms:.1f}",
            f"{ratio:.2f}×",
            f"{alone:.2f}",
            "0.0",
            mib,
        )
    best = best_row(found)
    for row in found.rows:
        table.add_row(
            *_cells(found, row), style="bold green" if row is best else "" if row.intact else "bright_black"
        )
    return table


def _cells(found: Tour, row: ModelRow) -> list[str]:
    return [
        row.configuration.name,
        f"{row.mean_cosine:.3f}",
        f"{row.min_cosine:.3f}",
        f"{row.batch.ms:.1f}",
        f"{found.speedup(row):.2f}×",
        f"{row.single.ms:.2f}",
        f"{row.format_bytes / 2**20:.1f}",
        f"{row.packed_bytes / 2**20:.1f}",
    ]


def _layers(found: Tour) -> Table:
    """The layers of the configuration that the verdict is about; the page has all."""
    from tamis.tour import best_row, short_name

    shown = best_row(found) or max(found.rows, key=lambda row: row.mean_cosine)
    table = Table(
        title=f"\nLayers of {shown.configuration.name}",
        title_justify="left",
        box=None,
        pad_edge=False,
        collapse_padding=True,
    )
    for head in ("layer", "shape", "zeros", "format", "dense\nms", "sparse\nms"):
        table.add_column(head, justify="left" if head in ("layer", "format") else "right", no_wrap=True)
    table.add_column("choice")
    for row in shown.layers:
        layer = row.layer
        table.add_row(
            short_name(layer.name),
            "{}×{}".format(*layer.shape),
            f"{100 * layer.sparsity:.0f} %",
            layer.format or "–",
            "–" if layer.dense_ms is None else f"{layer.dense_ms:.3f}",
            "–" if layer.sparse_ms is None else f"{layer.sparse_ms:.3f}",
            escape(layer.reason.removesuffix(" (measured)")),
        )
    return table
