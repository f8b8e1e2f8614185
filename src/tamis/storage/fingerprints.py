"""Digests of content: equal digests mean equal content, whatever the file is called or when it was written."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def fingerprint(content: str | bytes, *, size: int = 16) -> str:
    """BLAKE2b of text (as UTF-8) or bytes, ``size`` bytes long, in hexadecimal digits."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.blake2b(data, digest_size=size).hexdigest()


def fingerprint_of_settings(settings: Mapping[str, Any], *, size: int = 16) -> str:
    """:func:`fingerprint` of nested plain values; the order of keys does not matter, other objects count as their ``str``."""
    return fingerprint(json.dumps(settings, sort_keys=True, default=str), size=size)


def fingerprint_of_file(path: str | Path, *, size: int = 16) -> str:
    """:func:`fingerprint` of a file's bytes, read in pieces."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=size)).hexdigest()


def sha256_of_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes, as ``sha256sum`` prints it."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
