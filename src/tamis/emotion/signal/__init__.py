"""Signal: audio in, voice activity, windows, and augmented variants of a recording."""
