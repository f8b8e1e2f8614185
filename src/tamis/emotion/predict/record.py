"""``ensemble/recogniser.json``: what prediction needs beside the weights. Training writes it, :class:`Ensemble` reads it."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from tamis.emotion.data import Layer, Pool, StreamView
from tamis.emotion.network import Architecture, MetaInputs
from tamis.storage import plain, read_json, read_record, write_json

STRICT = ConfigDict(extra="forbid")
RECOGNISER = Path("ensemble") / "recogniser.json"
WEIGHTS = Path("ensemble") / "weights.safetensors"


@dataclass(frozen=True, config=STRICT)
class PriorRecord:
    """Shares of the categories in the training corpus, and which shares the model stands for."""

    natural: tuple[float, ...]
    trained: Literal["natural", "balanced"]


@dataclass(frozen=True, config=STRICT)
class StreamRecord:
    """A stream's view, the shape of its frames, and what the feature set says of its encoder."""

    stream: str
    layer: Layer
    pool: Annotated[Pool, Field(union_mode="left_to_right")]
    dim: int
    layers: int | None
    source: dict[str, Any]

    @property
    def view(self) -> StreamView:
        return StreamView(self.stream, self.layer, self.pool)


@dataclass(frozen=True, config=STRICT)
class MemberRecord:
    """A member, and where its weights are, relative to the folder."""

    name: str
    streams: tuple[str, ...]
    kind: Literal["deep", "ridge"]
    weights: str


@dataclass(frozen=True, config=STRICT)
class RecogniserRecord:
    """A trained ensemble.

    ``attributes`` is empty where nothing was rated; ``heard_variants`` are the augmented variants of a clip that are
    predicted besides it.
    """

    fingerprint: str
    categories: tuple[str, ...]
    attributes: tuple[str, ...]
    prior: PriorRecord
    heard_variants: tuple[str, ...]
    meta_inputs: MetaInputs
    architecture: Architecture
    streams: dict[str, StreamRecord]
    members: tuple[MemberRecord, ...]


def write_recogniser(folder: Path, record: RecogniserRecord) -> None:
    write_json(folder / RECOGNISER, plain(record))


def read_recogniser(folder: Path) -> RecogniserRecord:
    """Read what training, or export, left in ``folder``.

    Raises
    ------
    FileNotFoundError   if there is no finished training.
    ValueError          if the file is damaged or of another version.
    """
    path, call = folder / RECOGNISER, f"emotion.load({folder})"
    if not path.is_file():
        inner = (
            sorted(p.parent.parent.name for p in folder.glob(f"*/{RECOGNISER}")) if folder.is_dir() else []
        )
        hint = f" It holds {', '.join(inner)}; name one of those." if inner else " Was training finished?"
        raise FileNotFoundError(f"{call}: there is no {RECOGNISER}.{hint}")
    try:
        return read_record(RecogniserRecord, read_json(path), str(RECOGNISER))
    except ValueError as error:
        raise ValueError(f"{call}: damaged or of another version, train anew: {error}") from None
