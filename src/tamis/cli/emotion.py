"""``tamis emotion``: from a corpus to features, to a trained recogniser, to predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tamis.cli.emotion_arguments import (
    chosen_variants,
    corpus_or_config,
    open_corpus,
    open_streams,
    parse_prior,
)
from tamis.cli.emotion_recordings import list_recordings, plot_paths, writer
from tamis.cli.emotion_tables import ablations_table, corpus_table, evaluation_tables, finding_lines

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
    from tamis.emotion.corpora import check_corpus, write_audformat, write_csv

    console = Console()
    found = open_corpus(form, where, option, categories, merge)
    console.print(corpus_table(found))
    print_notes(console, found.notes)
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
        typer.Option(
            help="NAME=ENCODER[,layers=all|last|last4|N][,pool=N]; may be given often. "
            "Without it, those of the preset tuned."
        ),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            help="speed0.9, tempo1.1, voice1.12, noise15, none; may be given often. "
            "Without it, those of the preset tuned."
        ),
    ] = None,
    transcribe: Annotated[
        str | None, typer.Option(help="Whisper for utterances without text: whisper-tiny.en or another.")
    ] = None,
    option: Option = None,
    categories: Categories = None,
    merge: Merge = None,
) -> None:
    """Run frozen encoders over a corpus, each clip once; the same command goes on after an interruption."""
    make_features(Console(), form, where, out, stream, variant, transcribe, option, categories, merge)


def make_features(
    console: Console,
    form: str,
    where: Path,
    out: Path,
    stream: list[str] | None,
    variant: list[str] | None,
    transcribe: str | None,
    option: list[str] | None,
    categories: str | None,
    merge: list[str] | None,
) -> None:
    from tamis.emotion.streams import extract, fill_transcripts, open_transcriber

    streams, variants = open_streams(stream), chosen_variants(variant)
    found = open_corpus(form, where, option, categories, merge)
    print_notes(console, found.notes)
    with progress_bar(console) as report:
        if transcribe:
            words = open_transcriber(transcribe)
            found = fill_transcripts(
                found,
                out / "transcripts.jsonl",
                words,
                lambda done, total: report("transcripts", done, total),
            )
        done = extract(found, out, streams, variants, progress=report)
    for name in streams:
        console.print(f"{name}: {done.encoded[name]} encoded, {done.reused[name]} found from before")
    for name, reason in done.skipped:
        console.print(f"skipped {name}: {reason}", highlight=False, markup=False, soft_wrap=True)
    for name, notes in list(done.noted.items())[:1]:
        line = f"{len(done.noted)} recordings were read with a note, such as {name}: {notes}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"{len(found) - len(done.skipped)} of {len(found)} utterances in {out}")


@app.command()
def train(
    source: Annotated[
        str,
        typer.Argument(
            help="A corpus: its folder, a CSV file, or its format before its folder. Or a TOML file, as "
            "docs/emotion-training.md explains it."
        ),
    ],
    where: Annotated[Path | None, typer.Argument(help="The corpus folder, after its format.")] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="For a corpus: gets features, config.toml (an existing one stays) and run."
        ),
    ] = Path("emotion"),
    folds: Annotated[int | None, typer.Option(help="For a corpus: speaker folds of the training.")] = None,
    option: Option = None,
    categories: Categories = None,
    merge: Merge = None,
) -> None:
    """Train the ensemble in four stages; the same command goes on after an interruption."""
    from tamis.emotion.train import train as train_ensemble
    from tamis.emotion.train import write_first_config

    console = Console()
    given = corpus_or_config(source, where)
    if isinstance(given, Path):
        config = given
    else:
        make_features(console, *given, out / "features", None, None, None, option, categories, merge)
        config = out / "config.toml"
        if not config.exists():
            write_first_config(config, "features", folds=folds)
    run = train_ensemble(config, progress=lambda line: console.print(line, soft_wrap=True, markup=False))
    console.print(str(run), soft_wrap=True, highlight=False)
    console.print(
        f"tamis emotion evaluate {config}; tamis emotion predict FILE --model {run}", soft_wrap=True
    )


@app.command()
def evaluate(
    config: Annotated[Path, typer.Argument(help="The TOML file that was trained.")],
    split: Annotated[str, typer.Option(help="test, development or out_of_fold.")] = "test",
    by: Annotated[list[str] | None, typer.Option(help="Column to report apart; may be given often.")] = None,
) -> None:
    """Figures of the ensemble, its members and the baseline, with intervals over speakers."""
    from tamis.emotion.evaluation import evaluate as measure

    console = Console()
    found = measure(config, split=split, slices=tuple(by or ("gender",)))
    for table in evaluation_tables(found):
        console.print(table)
    console.print("all figures: evaluation/*.csv in the output folder of the configuration")


@app.command()
def ablate(
    config: Annotated[Path, typer.Argument(help="TOML file to start from.")],
    name: Annotated[list[str] | None, typer.Option(help="Only these ablations; may be given often.")] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds each.", min=1)] = 5,
) -> None:
    """Train again with one ingredient changed at a time, and measure what each is worth."""
    from tamis.emotion.evaluation import ABLATIONS
    from tamis.emotion.evaluation import ablate as run_ablations

    console = Console()
    names = tuple(name or ABLATIONS)
    table = run_ablations(config, names=names, seeds=tuple(range(seeds)), progress=console.print)
    console.print(ablations_table(table))


@app.command()
def predict(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Recordings of any length and sample rate, folders of them, - for standard input."
        ),
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", help="Folder that training or export wrote.")
    ] = "demo",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One row per recording.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Timeline as .png, .svg or .html; for several recordings a folder, in which a/x.wav becomes a/x.wav.html."
        ),
    ] = None,
    prior: Annotated[
        str,
        typer.Option(
            help="trained, natural, balanced, or shares as in happy=0.2,sad=0.8 (others are ruled out)."
        ),
    ] = "trained",
    transcriber: Annotated[
        str, typer.Option(help="Who transcribes; none for no transcripts.")
    ] = "whisper-tiny.en",
    window_s: Annotated[float, typer.Option(help="Window of long recordings.")] = 10.0,
    hop_s: Annotated[float, typer.Option(help="Step between windows.")] = 5.0,
    voice_activity: Annotated[
        bool, typer.Option(help="Predict speech only; otherwise the whole recording.")
    ] = True,
) -> None:
    """Predict emotion: how raters' votes would be distributed, over the whole recording and over time."""
    from tamis.emotion.predict import load, plot_timeline

    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv.")
    shares, recordings = parse_prior(prior), list_recordings(files)
    plots = plot_paths(recordings, plot) if plot else [None] * len(recordings)
    recogniser = load(model, None if transcriber == "none" else transcriber)
    write, failed = writer(as_json, as_csv, recogniser.categories), 0
    for recording, page in zip(recordings, plots, strict=True):
        try:
            result = recogniser.predict(
                recording, prior=shares, window_s=window_s, hop_s=hop_s, voice_activity=voice_activity
            )
        except (OSError, ValueError) as error:
            typer.echo(f"tamis: {error}", err=True)
            failed += 1
            continue
        write(result)
        if page and result.speech:
            page.parent.mkdir(parents=True, exist_ok=True)
            plot_timeline(result, page)
    if failed:
        typer.echo(f"tamis: {failed} of {len(recordings)} recordings could not be read", err=True)
        raise typer.Exit(1)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder that training wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the recogniser alone.")],
) -> None:
    """Copy what prediction needs of a training run into a folder of its own."""
    from tamis.emotion.predict import export_recogniser

    typer.echo(str(export_recogniser(run, out)))


def print_notes(console: Console, notes: Iterable[str]) -> None:
    for note in notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """One bar per stream, shown when it begins."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def report(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done)

        yield report
