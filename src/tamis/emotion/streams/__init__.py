"""Streams: what frozen encoders make of a recording, run once per clip and cached. Explicit imports only:

``named``       from a name in a config to a stream
``extract``     a corpus through the streams into a feature set
``transcribe``  words by Whisper
``encoder``     what a stream is; layer rules, pooling
``whisper``, ``waveform``, ``text``, ``low_level``   the encoders
``augment``     variants of a recording
"""
