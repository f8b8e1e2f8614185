"""``tamis prune MODEL``: prune a model of transformers, make it sparse where that pays, and save it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console
from rich.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor

    from tamis.models import Compute
    from tamis.tour import Encoder

app = typer.Typer(add_completion=False)


@app.command()
def prune(
    model: Annotated[str, typer.Argument(help="A local folder of transformers, or 'minilm'.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for tamis.load_sparse.")],
    sparsity: Annotated[
        float | None, typer.Option(help="Share of zeros; N:M patterns have their own.")
    ] = None,
    pattern: Annotated[
        str, typer.Option(help="unstructured, a block such as 4x1, or N:M such as 2:4.")
    ] = "unstructured",
    method: Annotated[
        str,
        typer.Option(
            "--method", "--score", help="magnitude, or wanda, which is calibrated on sentences that ship."
        ),
    ] = "magnitude",
    where: Annotated[
        str | None, typer.Option(help="Only layers of these names, such as 'encoder.*'.")
    ] = None,
    tokens: Annotated[
        int, typer.Option(help="Tokens in a call that the kernels are chosen for, at least.", min=1)
    ] = 128,
    compute: Annotated[
        str,
        typer.Option(help="float32; int8: layers in 8 bits where they stay near enough; or the fastest."),
    ] = "float32",
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="Sparse even where dense is faster.")
    ] = False,
) -> None:
    """Prune a model, replace its linear layers by sparse ones where that is faster here, and save it."""
    from tamis.models import save_sparse, sparsify
    from tamis.pretrained import load_minilm
    from tamis.pruning import METHODS
    from tamis.pruning import prune as prune_model
    from tamis.tour import CALIBRATION, Encoder

    folder = None if model == "minilm" else Path(model)
    if folder is not None and not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"tamis prune: {model!r} is no folder of a transformers model (no config.json in it); "
            "expected one, or the word minilm."
        )
    if output.is_file():
        raise ValueError(f"tamis prune: -o {output} is a file; expected a folder to write.")
    console = Console()
    loaded = load_minilm(folder)
    encoder = Encoder(loaded.model, loaded.tokenizer)
    calibrated = method in METHODS and METHODS[method].needs is not None
    pruned = prune_model(
        encoder.model,
        sparsity,
        pattern,
        method,
        calibration=[encoder.tokens(CALIBRATION[:48])] if calibrated else None,
        where=where,
    )
    console.print(str(pruned).splitlines()[-1], highlight=False, soft_wrap=True)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("choosing kernels")
        report = sparsify(
            encoder.model,
            _example(encoder, CALIBRATION, tokens),
            replace="everywhere" if everywhere else "where_faster",
            compute=cast("Compute", compute),
            progress=lambda done, layers, name: bar.update(
                task, completed=done, total=layers, description=name
            ),
        )
    console.print(str(report), highlight=False, soft_wrap=True, markup=False)
    save_sparse(encoder.model, output)
    encoder.tokenizer.save_pretrained(output)
    console.print(
        f"wrote {output}; read it with tamis.load_sparse({str(output)!r})",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


def _example(encoder: Encoder, sentences: Sequence[str], tokens: int) -> dict[str, Tensor]:
    """Tokenize as many sentences as it takes to reach so many tokens, or all there are."""
    for count in range(1, len(sentences)):
        inputs = encoder.tokens(sentences[:count])
        if inputs["input_ids"].numel() >= tokens:
            return inputs
    return encoder.tokens(sentences)
