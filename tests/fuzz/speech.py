"""Sound files and tables of recordings."""

import io
import random
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from tamis.emotion import corpora, signal

from .judge import Call, Target
from .mutation import mutated

CSV = (
    "path,emotion,speaker,start_s,end_s,valence\na.wav,happy,s1,0,1.5,4\nb.wav,sad,s2,,,3.5\nc.wav,angry,s1,1,2,\n",
    "path,votes/happy,votes/sad,text\na.wav,3,1,hello\nb.wav,0,4,\"so, there\"\n",
)  # fmt: skip


def sound(rng: random.Random, folder: Path) -> Call:
    kind, subtype = rng.choice(
        (("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "PCM_U8"), ("FLAC", "PCM_16"), ("OGG", None))
    )
    buffer = io.BytesIO()
    wave = (
        np.random.default_rng(rng.randrange(2**32)).standard_normal(
            (rng.choice((1, 800)), rng.choice((1, 2)))
        )
        / 9
    )
    soundfile.write(buffer, wave, rng.choice((8000, 16000, 44100)), format=kind, subtype=subtype)
    path = folder / f"a.{kind.lower()}"
    path.write_bytes(mutated(rng, buffer.getvalue()))
    return partial(read, path)


def read(path: Path) -> None:
    samples = signal.read_audio(path)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert len(samples) >= 1
    assert np.isfinite(samples).all()


def table(rng: random.Random, folder: Path) -> Call:
    content = rng.choice(CSV).encode(rng.choice(("utf-8", "utf-8", "utf-16", "cp1252")))
    (folder / "a.csv").write_bytes(mutated(rng, content))
    return lambda: corpora.read_csv(folder / "a.csv") and None


TARGETS = (
    Target("sound", sound, (ValueError, OSError)),
    Target("table", table, (ValueError, OSError)),
)
