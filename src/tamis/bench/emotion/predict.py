"""How long a trained recogniser takes for a recording, and how much memory.

``tamis bench emotion RECOGNISER RECORDING``, with a folder that training wrote. Every row is a figure of one
process: loading, the first prediction, the median of the next ones with and without transcript, Whisper's features alone, and
the most memory that was resident.
"""

import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch

import tamis
from tamis.emotion.predict import Recogniser, load
from tamis.emotion.signal import SAMPLE_RATE_HZ, read_audio
from tamis.emotion.streams import AudioStream, open_stream
from tamis.pretrained import TINY_EN

REPEATS = 7
FEATURES = "features of Whisper tiny.en"


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def median_seconds(call: Callable[[], object]) -> float:
    return statistics.median(seconds(call) for _ in range(REPEATS))


def measure(run: Path, recording: Path) -> pd.DataFrame:
    """One row per figure."""
    loaded: list[Recogniser] = []
    rows = {"load": seconds(lambda: loaded.append(load(run)))}
    recogniser, samples = loaded[0], read_audio(recording)
    rows["first prediction"] = seconds(lambda: recogniser.predict(recording))
    rows["prediction"] = median_seconds(lambda: recogniser.predict(recording))
    recogniser.transcriber = None
    rows["prediction without transcript"] = median_seconds(lambda: recogniser.predict(recording))
    match open_stream(TINY_EN):
        case AudioStream(encoder):
            rows[FEATURES] = median_seconds(lambda: encoder.encode([samples]))
    audio_s = len(samples) / SAMPLE_RATE_HZ
    table = pd.DataFrame({"what": rows.keys(), "seconds": rows.values()})
    table["times_real_time"] = (audio_s / table["seconds"]).where(table["what"] != "load")
    return table.assign(
        audio_s=audio_s,
        peak_resident_gib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        threads=torch.get_num_threads(),
        command="tamis bench emotion RECOGNISER RECORDING",
        tamis=tamis.__version__,
        torch=torch.__version__,
    ).round(4)
