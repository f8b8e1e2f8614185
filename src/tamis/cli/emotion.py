"""``tamis emotion``: from a corpus to features, to a trained recogniser, to predictions."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from pandas import DataFrame

    from tamis.emotion.corpora.checks import Findings
    from tamis.emotion.corpora.table import Corpus
    from tamis.emotion.prior import Prior
    from tamis.emotion.result import EmotionResult

app = typer.Typer(no_args_is_help=True)

Format = Annotated[
    str,
    typer.Argument(
        help="msp-podcast, iemocap, crema-d, ravdess, emodb, meld, emo-superb, emobox, audformat or csv."
    ),
]
Where = Annotated[Path, typer.Argument(help="The corpus folder, or the CSV file.")]
Option = Annotated[
    list[str] | None,
    typer.Option("--option", help="The reader's own, as in fold=2 or judged_by=both; may be given often."),
]
Categories = Annotated[
    str | None, typer.Option(help="Other categories, separated by commas; the rest counts as other.")
]
Merge = Annotated[
    list[str] | None, typer.Option(help="OLD=NEW, to go with --categories; may be given often.")
]


@app.callback()
def emotion() -> None:
    """Speech emotion recognition: corpora, features, training, prediction."""


@app.command()
def corpus(
    form: Format,
    where: Where,
    option: Option = None,
    categories: Categories = None,
    merge: Merge = None,
    check: Annotated[bool, typer.Option("--check", help="Read all audio; list leaks and damage.")] = False,
    to_csv: Annotated[Path | None, typer.Option(help="Write the table here.")] = None,
    to_audformat: Annotated[Path | None, typer.Option(help="Write an audformat database here.")] = None,
) -> None:
    """Look at a corpus, check it, convert it."""
    from tamis.emotion.corpora.audformat_table import write_audformat
    from tamis.emotion.corpora.checks import check_corpus
    from tamis.emotion.corpora.csv_table import write_csv

    console = Console()
    found = open_corpus(form, where, option, categories, merge)
    console.print(corpus_table(found))
    for note in found.notes:
        console.print(f"note: {note}", markup=False)
    if to_csv:
        write_csv(found, to_csv)
    if to_audformat:
        write_audformat(found, to_audformat)
    if check:
        findings = check_corpus(found)
        for line in finding_lines(findings):
            console.print(line, highlight=False, markup=False)
        raise typer.Exit(1 if findings.unusable or findings.leaking_speakers else 0)


@app.command()
def features(
    form: Format,
    where: Where,
    out: Annotated[Path, typer.Option("--out", "-o", help="The feature set to make or complete.")],
    stream: Annotated[
        list[str] | None,
        typer.Option(help="NAME=ENCODER[,layers=all|last|last4|N][,pool=N]; may be given often."),
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="speed0.9, tempo1.1, voice1.12, noise15; may be given often.")
    ] = None,
    transcribe: Annotated[
        str | None, typer.Option(help="Whisper for utterances without text: whisper-tiny.en or another.")
    ] = None,
    option: Option = None,
    categories: Categories = None,
    merge: Merge = None,
) -> None:
    """Run frozen encoders over a corpus, each clip once; the same command goes on after an interruption."""
    from tamis.emotion.streams.extract import extract
    from tamis.emotion.streams.named import open_stream
    from tamis.emotion.streams.specification import parse_stream
    from tamis.emotion.streams.transcribe import open_transcriber
    from tamis.emotion.streams.transcripts import fill_transcripts

    console = Console()
    asked = [
        parse_stream(text)
        for text in stream or ("whisper=whisper-tiny.en,pool=2", "low_level=low-level,pool=2")
    ]
    found = open_corpus(form, where, option, categories, merge)
    streams = {s.name: open_stream(s.encoder, s.layers, s.pool, s.window_s) for s in asked}
    with progress_bar(console) as tell:
        if transcribe:
            words = open_transcriber(transcribe)
            found = fill_transcripts(
                found, out / "transcripts.jsonl", words, lambda done, total: tell("transcripts", done, total)
            )
        done = extract(found, out, streams, variant or (), progress=tell)
    for name in streams:
        console.print(f"{name}: {done.encoded[name]} encoded, {done.reused[name]} found from before")
    for name, reason in done.skipped:
        console.print(f"skipped {name}: {reason}", highlight=False, markup=False)
    console.print(f"{len(found) - len(done.skipped)} of {len(found)} utterances in {out}")


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="TOML file; docs/emotion-training.md explains it.")],
) -> None:
    """Train the ensemble in four stages; the same command goes on after an interruption."""
    from tamis.emotion.train import train as train_ensemble

    console = Console()
    console.print(str(train_ensemble(config, progress=console.print)), soft_wrap=True, highlight=False)


@app.command()
def evaluate(
    config: Annotated[Path, typer.Argument(help="The TOML file that was trained.")],
    split: Annotated[str, typer.Option(help="test, development or out_of_fold.")] = "test",
    by: Annotated[list[str] | None, typer.Option(help="Column to report apart; may be given often.")] = None,
) -> None:
    """Figures of the ensemble, its members and the baseline, with intervals over speakers."""
    from tamis.emotion.evaluate import evaluate as measure

    console = Console()
    found = measure(config, split=split, slices=tuple(by or ("gender",)))
    console.print(models_table(found.models.to_dict("records")))
    console.print(plain_table("by category", found.categories))
    if len(found.slices):
        console.print(plain_table("by slice", found.slices))


@app.command()
def ablate(
    config: Annotated[Path, typer.Argument(help="TOML file to start from.")],
    name: Annotated[list[str] | None, typer.Option(help="Only these ablations; may be given often.")] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds each.", min=1)] = 5,
) -> None:
    """Train again with one ingredient changed at a time, and tell what each is worth."""
    from tamis.emotion.ablate import ABLATIONS
    from tamis.emotion.ablate import ablate as run_ablations

    console = Console()
    names = tuple(name or ABLATIONS)
    table = run_ablations(config, names=names, seeds=tuple(range(seeds)), progress=console.print)
    console.print(plain_table("ablations", table))


@app.command()
def predict(
    files: Annotated[list[Path], typer.Argument(help="Recordings of any length and sample rate.")],
    model: Annotated[
        str, typer.Option("--model", "-m", help="Folder that training or export wrote.")
    ] = "demo",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One row per recording.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(help="Timeline as .png, .svg or .html (a folder for several recordings: .html)."),
    ] = None,
    prior: Annotated[
        str, typer.Option(help="trained, natural, balanced, or shares as in happy=0.2,sad=0.8.")
    ] = "trained",
    transcriber: Annotated[
        str, typer.Option(help="Who transcribes; none for no transcripts.")
    ] = "whisper-tiny.en",
    window_s: Annotated[float, typer.Option(help="Window of long recordings.")] = 10.0,
    hop_s: Annotated[float, typer.Option(help="Step between windows.")] = 5.0,
    voice_activity: Annotated[bool, typer.Option(help="Hear speech only.")] = True,
) -> None:
    """Predict emotion: how raters' votes would be distributed, over the whole recording and over time."""
    from tamis.emotion.recogniser import load

    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv.")
    shares = parse_prior(prior)
    recogniser = load(model, None if transcriber == "none" else transcriber)
    write, failed = writer(as_json, as_csv, recogniser.categories), 0
    for path in files:
        try:
            result = recogniser.predict(
                path, prior=shares, window_s=window_s, hop_s=hop_s, voice_activity=voice_activity
            )
        except (FileNotFoundError, ValueError) as error:
            typer.echo(f"tamis: {error}", err=True)
            failed += 1
            continue
        write(result)
        if plot and result.speech:
            save_plot(result, plot, several=len(files) > 1)
    if failed:
        typer.echo(f"tamis: {failed} of {len(files)} recordings could not be read", err=True)
        raise typer.Exit(1)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder that training wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the recogniser alone.")],
) -> None:
    """Copy what prediction needs of a training run into a folder of its own."""
    from tamis.emotion.export import export_recogniser

    typer.echo(str(export_recogniser(run, out)))


def open_corpus(
    form: str, where: Path, option: list[str] | None, categories: str | None, merge: list[str] | None
) -> Corpus:
    from tamis.emotion.corpora.named import read_corpus
    from tamis.emotion.corpora.regroup import regroup

    options: dict[str, Any] = {
        k: int(v) if v.isdigit() else v for k, v in pairs(option or [], "--option").items()
    }
    try:
        found = read_corpus(form, where, **options)
    except TypeError:
        raise ValueError(f"the reader of {form} does not know the options {', '.join(options)}.") from None
    if categories:
        return regroup(found, categories.split(","), pairs(merge or [], "--merge"))
    return found


def pairs(texts: list[str], what: str) -> dict[str, str]:
    split = [text.partition("=") for text in texts]
    if bad := [name for name, equals, value in split if not (name and equals and value)]:
        raise ValueError(f"{what} {bad[0]!r}: expected NAME=VALUE.")
    return {name: value for name, _, value in split}


def parse_prior(text: str) -> Prior:
    """A word, or shares such as ``happy=0.2,sad=0.8``."""
    if text in ("trained", "natural", "balanced"):
        return text  # type: ignore[return-value]
    try:
        return {name: float(share) for name, share in pairs(text.split(","), "--prior").items()}
    except ValueError:
        raise ValueError(
            f"--prior {text!r}: expected trained, natural, balanced, or shares as in happy=0.2,sad=0.8."
        ) from None


def corpus_table(found: Corpus) -> Table:
    table = Table("category", "votes", "mentions", "utterances with it first")
    votes = found.table[[f"votes/{c}" for c in found.categories]].to_numpy()
    first = votes.argmax(axis=1)[votes.sum(axis=1) > 0]
    for i, category in enumerate(found.categories):
        mentions = found.table[f"mentions/{category}"].sum()
        table.add_row(category, f"{votes[:, i].sum():g}", f"{mentions:g}", str((first == i).sum()))
    speakers = found.table["speaker"].replace("", None).nunique()
    splits = found.table["split"].replace("", "none").value_counts()
    table.title = f"{found.name}: {len(found)} utterances, {speakers} speakers"
    table.caption = ", ".join(f"{split} {count}" for split, count in splits.items())
    return table


def models_table(rows: list[dict[str, Any]]) -> Table:
    """One line per model: figures with their intervals, and how much better the ensemble is."""
    table = Table("model", "macro-F1", "UAR", "accuracy", "JSD", "ECE", "ensemble's gain in macro-F1")
    for row in rows:
        ranges = [
            f"{row[f]:.3f} [{row[f + '_low']:.3f}, {row[f + '_high']:.3f}]" for f in ("macro_f1", "uar")
        ]
        gain = row.get("macro_f1_gain", math.nan)
        told = (
            ""
            if math.isnan(gain)
            else f"{gain:+.3f} [{row['macro_f1_gain_low']:+.3f}, {row['macro_f1_gain_high']:+.3f}]"
        )
        table.add_row(row["model"], *ranges, *(f"{row[f]:.3f}" for f in ("accuracy", "jsd", "ece")), told)
    return table


def plain_table(title: str, frame: DataFrame) -> Table:
    table = Table(*map(str, frame.columns), title=title)
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))
    return table


def finding_lines(found: Findings) -> Iterator[str]:
    for speaker, splits in found.leaking_speakers.items():
        yield f"leak: speaker {speaker} is in {', '.join(splits)}"
    for group in found.duplicates:
        yield f"duplicates: {', '.join(group)}"
    for kind, entries in (("missing", found.missing), ("damaged", found.damaged)):
        for name, reason in entries:
            yield f"{kind}: {name}: {reason}"
    for category in found.empty_categories:
        yield f"empty: no votes for {category}"
    yield (
        f"{found.unusable} unusable, {found.unlabelled} unlabelled, {found.single_vote} with one vote, "
        f"{found.unknown_speakers} of unknown speaker, {found.crossing_duplicates} duplicate groups across splits"
    )


def writer(as_json: bool, as_csv: bool, categories: tuple[str, ...]) -> Callable[[EmotionResult], None]:
    """What is done with each result: print it for people, as JSON lines, or as CSV with one header."""
    if as_json:
        return lambda result: typer.echo(result.to_json())
    if as_csv:
        from tamis.emotion.result import columns

        rows = csv.DictWriter(sys.stdout, columns(categories), restval="")
        rows.writeheader()
        return lambda result: rows.writerow(result.row())
    from tamis.emotion.view import show

    console = Console()
    return lambda result: console.print(show(result))


def save_plot(result: EmotionResult, plot: Path, several: bool) -> None:
    from tamis.emotion.timeline_plot import plot_timeline

    if several or plot.is_dir():
        plot.mkdir(parents=True, exist_ok=True)
        plot = plot / f"{Path(result.source).stem}.html"
    plot_timeline(result, plot)


@contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """One bar per stream, shown when it begins."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def tell(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done)

        yield tell
