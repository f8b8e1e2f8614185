"""The arguments of ``tamis emotion``: a corpus with its options, streams, variants, a prior."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tamis.emotion.corpora import Corpus
    from tamis.emotion.predict import Prior
    from tamis.emotion.streams import Stream


def open_corpus(
    form: str, where: Path, option: list[str] | None, categories: str | None, merge: list[str] | None
) -> Corpus:
    from tamis.emotion.corpora import read_corpus, regroup

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


def corpus_or_config(source: str, where: Path | None) -> tuple[str, Path] | Path:
    """What ``train`` is given: a format and its place, or a TOML file."""
    from tamis.emotion.corpora import READERS, recognise

    if where is not None:
        return source, where
    if source.lower().endswith(".toml"):
        return Path(source)
    if source in READERS and not Path(source).exists():
        raise ValueError(f"tamis emotion train {source}: name the folder of the corpus too.")
    return recognise(source), Path(source)


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


def open_streams(words: Sequence[str] | None) -> dict[str, Stream]:
    """Encoders by stream name; those of the preset ``tuned`` where none are named."""
    from tamis.emotion.streams import OFFLINE_STREAMS, open_stream, parse_stream

    asked = [parse_stream(word) for word in words or OFFLINE_STREAMS]
    return {s.name: open_stream(s.encoder, s.layers, s.pool, s.window_s) for s in asked}


def chosen_variants(names: Sequence[str] | None) -> list[str]:
    """Variants to make; those of the preset ``tuned`` where none are named, and none for ``none``."""
    from tamis.emotion.train import load_preset

    if not names:
        return list(load_preset("tuned")["heard_variants"])
    return [] if list(names) == ["none"] else list(names)
