"""PCD files of the Point Cloud Library (ASCII, binary, binary_compressed), through pypcd4."""

import io
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tamis.voxel.files.point_cloud import (
    Column,
    Invalid,
    PointCloud,
    check_file,
    damaged,
    named_columns,
    point_cloud,
    reading,
)

_HEADER_BYTES = 65_536
_SIZES = {"F": (4, 8), "U": (1, 2, 4, 8), "I": (1, 2, 4, 8)}


def read_pcd(path: Path, *, invalid: Invalid = "error", metres_per_unit: float | None = None) -> PointCloud:
    """A PCD file of any version; numeric fields of count 1 beside x, y, z become features, a field ``label`` the labels.

    Organised clouds mark missing returns with NaN: read them with ``invalid="drop"``.
    """
    header = _header(check_file(path))
    from pypcd4.pypcd4 import PointCloud as PcdFile  # an extra: only PCD needs it

    with reading(path, "PCD"):
        table = PcdFile.from_fileobj(_as_of_today(path, header)).pc_data.reshape(-1)
        columns: dict[str, Column] = {
            name: np.asarray(table[f"f{place}"])
            for place, name in enumerate(header.names)
            if header.counts[place] == 1 and name != "_"
        }
    if len(table) != header.points:
        raise damaged(path, "DATA", f"POINTS says {header.points}, but {len(table)} are there")
    for name in [name for name in columns if name.lower() in ("rgb", "rgba")]:
        columns |= _colours(path, columns.pop(name))
    named = named_columns(path, "FIELDS", columns)
    return point_cloud(path, named, invalid=invalid, metres_per_unit=metres_per_unit)


@dataclass(frozen=True)
class _Header:
    """A PCD header with everything that older versions leave out; ``body`` is where the data begin."""

    names: list[str]
    sizes: list[int]
    kinds: list[str]
    counts: list[int]
    points: int
    encoding: str
    body: int


def _header(path: Path) -> _Header:
    """Read and check the header: it must be whole, and must not promise more than the file holds."""
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    entries: dict[str, list[str]] = {}
    body = 0
    for line in head.split(b"\n"):
        body += len(line) + 1
        words = line.decode("ascii", errors="replace").split()
        if words and not words[0].startswith("#"):
            entries[words[0].upper()] = words[1:]
        if words and words[0].upper() == "DATA":
            break
    with reading(path, "PCD"):
        found = _complete(path, entries, body)
        _check_body(path, found, head[body : body + 8], path.stat().st_size - body)
    return found


def _complete(path: Path, entries: Mapping[str, list[str]], body: int) -> _Header:
    """Version .5 calls the fields COLUMNS; COUNT is 1, and WIDTH x HEIGHT is POINTS, where they are missing."""
    entries = {"FIELDS": entries.get("COLUMNS", [])} | dict(entries)
    for name in ("FIELDS", "SIZE", "TYPE", "DATA"):
        if not entries.get(name):
            raise damaged(path, f"PCD header {name}", "missing")
    if not entries.get("POINTS") and not entries.get("WIDTH"):
        raise damaged(path, "PCD header POINTS", "missing")
    counts = entries.get("COUNT") or ["1"] * len(entries["FIELDS"])
    width, height = (entries.get(name) or [] for name in ("WIDTH", "HEIGHT"))
    cells = int(width[0]) * int((height or ["1"])[0]) if width else None
    points = int((entries.get("POINTS") or [str(cells)])[0])
    if points < 0 or cells not in (None, points):
        raise damaged(path, "PCD header POINTS", f"{points} is not WIDTH x HEIGHT")
    return _Header(
        entries["FIELDS"],
        [int(word) for word in entries["SIZE"]],
        [word.upper() for word in entries["TYPE"]],
        [int(word) for word in counts],
        points,
        entries["DATA"][0].lower(),
        body,
    )


def _check_body(path: Path, header: _Header, start: bytes, available: int) -> None:
    columns = len(header.names)
    for name, words in (("SIZE", header.sizes), ("TYPE", header.kinds), ("COUNT", header.counts)):
        if len(words) != columns:
            raise damaged(path, f"PCD header {name}", f"{len(words)} entries for {columns} fields")
    for kind, size, count in zip(header.kinds, header.sizes, header.counts, strict=True):
        if size not in _SIZES.get(kind, ()) or not 1 <= count <= available:
            raise damaged(
                path, "PCD header TYPE, SIZE, COUNT", f"no such type: {kind} of {size} bytes, {count} times"
            )
    points = header.points
    row = sum(size * count for size, count in zip(header.sizes, header.counts, strict=True))
    needed = {"binary": points * row, "ascii": 2 * points * sum(header.counts) - 1}.get(header.encoding, 0)
    if header.encoding == "binary_compressed" and points:
        packed, unpacked = struct.unpack("<II", start) if len(start) == 8 else (available, 0)
        needed = packed + 8
        if unpacked != points * row:
            raise damaged(
                path, "DATA", f"unpacks to {unpacked} bytes, but {points} points need {points * row}"
            )
    if needed > available:
        raise damaged(path, "DATA", f"truncated: {points} points need {needed} bytes, {available} are there")


def _as_of_today(path: Path, header: _Header) -> io.BufferedReader:
    """The file as pypcd4 wants it: version 0.7, all entries, plain names, one space between ASCII values."""
    lines = [
        "VERSION 0.7",
        f"FIELDS {' '.join(f'f{place}' for place in range(len(header.names)))}",
        f"SIZE {' '.join(map(str, header.sizes))}",
        f"TYPE {' '.join(header.kinds)}",
        f"COUNT {' '.join(map(str, header.counts))}",
        f"WIDTH {header.points}",
        "HEIGHT 1",
        "VIEWPOINT 0 0 0 1 0 0 0",
        f"POINTS {header.points}",
        f"DATA {header.encoding}",
    ]
    with path.open("rb") as file:
        file.seek(header.body)
        data = file.read()
    if header.encoding == "ascii":
        data = re.sub(rb"[ \t\r\f\v]+", b" ", data)
        data = re.sub(rb"^ | $", b"", data, flags=re.MULTILINE)
    return io.BufferedReader(io.BytesIO("\n".join(lines).encode() + b"\n" + data))


def _colours(path: Path, packed: Column) -> dict[str, Column]:
    """PCL stores colours as 0x__RRGGBB in four bytes, often declared as float."""
    if packed.dtype.itemsize != 4:
        raise damaged(path, "FIELDS rgb", f"has {packed.dtype.itemsize} bytes, a packed colour has 4")
    word = np.ascontiguousarray(packed).view(np.uint32)
    return {name: (word >> shift) & 0xFF for name, shift in (("red", 16), ("green", 8), ("blue", 0))}
