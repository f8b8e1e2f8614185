"""Signal: a recording as 16 kHz samples, where somebody speaks in it, and augmented variants of it.

``audio``     any file, stream or array becomes float32 mono at 16 kHz: the only way in
``inputs``, ``decoder``, ``kinds``, ``arrays``   what may be given, and what it is where it is no audio
``survey``, ``mixing``   scale and channels of a whole recording; blocks of it, mixed and resampled
``recording`` what was read, and what should be known of it
``vad``       stretches of speech
``windows``   overlapping windows over them
``augment``   speed, tempo, voice, noise
``variants``  augmentations by name
"""

from tamis.emotion.signal.audio import length_s, read_audio, read_recording
from tamis.emotion.signal.inputs import find_recordings
from tamis.emotion.signal.recording import Recording, is_audible
from tamis.emotion.signal.sound import SAMPLE_RATE_HZ, AudioError, Samples
from tamis.emotion.signal.vad import Segment, holds_speech, speech_segments
from tamis.emotion.signal.variants import make_variant, parse_variant
from tamis.emotion.signal.windows import merge_segments, plan_windows

__all__ = [
    "SAMPLE_RATE_HZ",
    "AudioError",
    "Recording",
    "Samples",
    "Segment",
    "find_recordings",
    "holds_speech",
    "is_audible",
    "length_s",
    "make_variant",
    "merge_segments",
    "parse_variant",
    "plan_windows",
    "read_audio",
    "read_recording",
    "speech_segments",
]
