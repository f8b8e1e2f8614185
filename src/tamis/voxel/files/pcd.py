"""PCD files of the Point Cloud Library (ASCII, binary, binary_compressed), through pypcd4."""

import struct
from pathlib import Path

import numpy as np

from tamis.voxel.files.point_cloud import (
    Column,
    Invalid,
    PointCloud,
    check_file,
    damaged,
    point_cloud,
    reading,
)

_HEADER_BYTES = 65_536
_SIZES = {"F": (4, 8), "U": (1, 2, 4, 8), "I": (1, 2, 4, 8)}


def read_pcd(path: Path, *, invalid: Invalid = "error") -> PointCloud:
    """A PCD file; numeric fields of count 1 beside x, y, z become features, a field ``label`` the labels.

    Organised clouds mark missing returns with NaN: read them with ``invalid="drop"``.
    """
    _check_header(check_file(path))
    from pypcd4.pypcd4 import PointCloud as PcdFile  # an extra: only PCD needs it

    with reading(path, "PCD"):
        table = PcdFile.from_path(path).pc_data
        columns: dict[str, Column] = {
            name: np.asarray(table[name]) for name in _single_fields(table.dtype.names or ())
        }
    missing = [axis for axis in "xyz" if axis not in columns]
    if missing:
        raise damaged(path, f"FIELDS {missing[0]}", f"missing; the file has {', '.join(columns) or 'none'}")
    x, y, z = (columns.pop(axis) for axis in "xyz")
    for name in ("rgb", "rgba"):
        if name in columns:
            columns |= _colours(columns.pop(name))
    return point_cloud(path, (x, y, z), columns, columns.pop("label", None), invalid=invalid)


def _single_fields(names: tuple[str, ...]) -> list[str]:
    """Named fields of one value; pypcd4 numbers the parts of longer ones and renames padding."""
    return [name for name in names if "__0" not in name and not name.startswith("#$%&~~")]


def _colours(packed: Column) -> dict[str, Column]:
    """PCL stores colours as 0x__RRGGBB in four bytes, often declared as float."""
    word = np.ascontiguousarray(packed).view(np.uint32)
    return {name: (word >> shift) & 0xFF for name, shift in (("red", 16), ("green", 8), ("blue", 0))}


def _check_header(path: Path) -> None:
    """The header must be whole, and must not promise more than the file holds."""
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    fields: dict[str, list[str]] = {}
    body = 0
    for line in head.split(b"\n"):
        body += len(line) + 1
        words = line.decode("ascii", errors="replace").split()
        if words and not words[0].startswith("#"):
            fields[words[0].upper()] = words[1:]
        if words and words[0].upper() == "DATA":
            break
    for name in ("FIELDS", "SIZE", "TYPE", "WIDTH", "HEIGHT", "POINTS", "DATA"):
        if not fields.get(name):
            raise damaged(path, f"PCD header {name}", "missing")
    with reading(path, "PCD"):
        _check_body(path, fields, head[body : body + 8], path.stat().st_size - body)


def _check_body(path: Path, fields: dict[str, list[str]], start: bytes, available: int) -> None:
    columns = len(fields["FIELDS"])
    counts = [int(word) for word in fields.get("COUNT", ["1"] * columns)]
    sizes = [int(word) for word in fields["SIZE"]]
    for name, words in (("SIZE", sizes), ("TYPE", fields["TYPE"]), ("COUNT", counts)):
        if len(words) != columns:
            raise damaged(path, f"PCD header {name}", f"{len(words)} entries for {columns} fields")
    for kind, size, count in zip(fields["TYPE"], sizes, counts, strict=True):
        if size not in _SIZES.get(kind, ()) or count < 1:
            raise damaged(
                path, "PCD header TYPE, SIZE, COUNT", f"no such type: {kind} of {size} bytes, {count} times"
            )
    points = int(fields["POINTS"][0])
    if points < 0 or points != int(fields["WIDTH"][0]) * int(fields["HEIGHT"][0]):
        raise damaged(path, "PCD header POINTS", f"{points} is not WIDTH x HEIGHT")
    row = sum(size * count for size, count in zip(sizes, counts, strict=True))
    encoding = fields["DATA"][0].lower()
    needed = {"binary": points * row, "ascii": 2 * points * sum(counts) - 1}.get(encoding, 0)
    if encoding == "binary_compressed" and points:
        packed, unpacked = struct.unpack("<II", start) if len(start) == 8 else (available, 0)
        needed = packed + 8
        if unpacked != points * row:
            raise damaged(
                path, "DATA", f"unpacks to {unpacked} bytes, but {points} points need {points * row}"
            )
    if needed > available:
        raise damaged(path, "DATA", f"truncated: {points} points need {needed} bytes, {available} are there")
