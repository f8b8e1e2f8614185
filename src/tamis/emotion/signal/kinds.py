"""What a file is that is no recording, by its first bytes."""

from __future__ import annotations

from typing import Final

HEAD: Final = 512
CONVERT = "convert it first, for instance with ffmpeg -i IN -ac 1 -ar 16000 OUT.wav"

BEGINNINGS: Final = (
    (b"version https://git-lfs", "a Git LFS pointer, not the recording itself; run git lfs pull"),
    (b"/annex/objects/", "a git-annex pointer, not the recording itself; run git annex get"),
    (b"PK\x03\x04", "a ZIP archive; unpack it first"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"BZh", "a bzip2 archive; unpack it first"),
    (b"\xfd7zXZ", "an xz archive; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive; unpack it first"),
    (b"\x1aE\xdf\xa3", f"Matroska or WebM; {CONVERT}"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", f"Windows Media (WMA, WMV); {CONVERT}"),
    (b"#!AMR", f"AMR, as telephones record it; {CONVERT}"),
    (b"FLV", f"Flash video; {CONVERT}"),
    (b"\xff\xf1", f"AAC; {CONVERT}"),
    (b"\xff\xf9", f"AAC; {CONVERT}"),
    (b"ADIF", f"AAC; {CONVERT}"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x93NUMPY", "a NumPy array; load it, and give the array with its rate"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x7fELF", "a program"),
)
BOXES: Final = (b"ftyp", b"moov", b"mdat", b"wide", b"free")


def kind_of(head: bytes) -> str | None:
    """What a file is that begins with ``head`` (at least HEAD bytes, or all of it), in words; None where that is not known."""
    if not head:
        return "an empty file"
    if found := next((words for begin, words in BEGINNINGS if head.startswith(begin)), None):
        return found
    if head[4:8] in BOXES:
        return f"MP4, M4A or QuickTime; {CONVERT}"
    if head[:4] == b"RIFF" and head[8:12] != b"WAVE":
        return f"a RIFF file that is no WAV ({head[8:12].decode('ascii', 'replace').strip()}); {CONVERT}"
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it first"
    if not head.strip(b"\0"):
        return "zero bytes only, as an interrupted download or copy leaves them"
    return kind_of_text(head)


def kind_of_text(head: bytes) -> str | None:
    try:
        text = head[: HEAD - 3].decode("utf-8-sig").lstrip().lower()
    except UnicodeDecodeError:
        return None
    if not all(c.isprintable() or c.isspace() for c in text):
        return None
    if text.startswith(("<!doctype html", "<html", "<head", "<body")):
        return "a web page, as a download that needs a log-in leaves it"
    if text.startswith("<"):
        return "an XML document"
    return "a JSON text" if text.startswith(("{", "[")) else "a text file"
