"""Signal: a recording as 16 kHz samples, where somebody speaks in it, and augmented variants of it.

``audio``     any file or array becomes float32 mono at 16 kHz
``vad``       stretches of speech
``windows``   overlapping windows over them
``augment``   speed, tempo, voice, noise
``variants``  augmentations by name
"""

from tamis.emotion.signal.audio import (
    SAMPLE_RATE_HZ,
    AudioError,
    Samples,
    as_mono_16k,
    clipped_share,
    read_audio,
    require_soundfile,
)
from tamis.emotion.signal.vad import Segment, holds_speech, speech_segments
from tamis.emotion.signal.variants import make_variant, parse_variant
from tamis.emotion.signal.windows import merge_segments, plan_windows

__all__ = [
    "SAMPLE_RATE_HZ",
    "AudioError",
    "Samples",
    "Segment",
    "as_mono_16k",
    "clipped_share",
    "holds_speech",
    "make_variant",
    "merge_segments",
    "parse_variant",
    "plan_windows",
    "read_audio",
    "require_soundfile",
    "speech_segments",
]
