"""A configuration for a feature set, where nobody has written one: the preset, and splits that the set allows."""

import json
from pathlib import Path

from tamis.emotion.corpora import split_name
from tamis.emotion.data import HELD_OUT, FeatureSet, Splits
from tamis.storage import write_text

FOLDS = Splits().folds


def write_first_config(
    path: str | Path, features: str, preset: str = "tuned", folds: int | None = None
) -> None:
    """Write a TOML file for :func:`tamis.emotion.train.train`, its output ``run`` beside it.

    The set's own splits are taken, every one whose name begins with "test" as test rows, and with speakers in several of them
    where the corpus has it so. Without training rows among them, a fifth of the speakers is the test set.

    Parameters
    ----------
    path : path
        The file to write.
    features : str
        The feature set, relative to the file's folder.
    preset : str
    folds : int, optional
        Of the training rows; by default five, or one per training speaker where there are fewer.
    """
    path = Path(path)
    found = FeatureSet(path.parent / features)
    split = [split_name(name) for name in found.strings("split")]
    own = "train" in split
    names = {s for s, name in zip(found.strings("speaker"), split, strict=True) if not own or name == "train"}
    speakers = len(names - {""})
    left = speakers if own or not speakers else speakers - -(-speakers // HELD_OUT)
    lines = [
        f"preset = {json.dumps(preset)}",
        f"features = {json.dumps(features)}",
        'output = "run"',
        "",
        "[splits]",
    ]
    if own:
        tests = sorted(name for name in set(split) if name.startswith("test"))
        lines += [f"test = {json.dumps(tests or ['test'])}", 'shared_speakers = "allow"']
    else:
        lines.append('by = "speaker"')
    lines.append(f"folds = {folds or max(2, min(FOLDS, left or FOLDS))}")
    write_text(path, "\n".join(lines) + "\n")
