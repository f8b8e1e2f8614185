"""Streams: what frozen encoders make of a recording, run once per clip and cached in a feature set.

``encoder``        what a stream is; layer rules, pooling
``named``          from a name in a config to a stream
``specification``  a stream in one word of the command line
``extraction``     a corpus through the streams into a feature set
``transcribe``, ``transcripts``   words by Whisper
``whisper``, ``waveform``, ``text``, ``low_level``   the encoders
"""

from tamis.emotion.streams.encoder import AudioStream, LayerRule, Stream, TextStream
from tamis.emotion.streams.extraction import Extraction, extract
from tamis.emotion.streams.named import OFFLINE, open_stream
from tamis.emotion.streams.specification import OFFLINE_STREAMS, StreamSpecification, parse_stream
from tamis.emotion.streams.transcribe import Transcriber, open_transcriber
from tamis.emotion.streams.transcripts import fill_transcripts

__all__ = [
    "OFFLINE",
    "OFFLINE_STREAMS",
    "AudioStream",
    "Extraction",
    "LayerRule",
    "Stream",
    "StreamSpecification",
    "TextStream",
    "Transcriber",
    "extract",
    "fill_transcripts",
    "open_stream",
    "open_transcriber",
    "parse_stream",
]
