"""What a LAZ file says about the sizes of its chunks and layers, checked before the decoder takes memory for them."""

import struct
from pathlib import Path
from typing import Any, BinaryIO

from tamis.voxel.files.point_cloud import damaged

_LAYERED = 3  # a compressor: every chunk begins with the sizes of its layers
_MOST_POINTS = 1_000_000  # of a chunk in a file of fewer points; writers use 50,000
_LAYERS = {10: 9, 11: 1, 12: 2, 13: 1}  # by type of item: POINT14, RGB14, RGBNIR14, WAVEPACKET14
_EXTRA_BYTES = 14  # an item with a layer for each of its bytes


def check_chunks(path: Path, header: Any) -> None:
    """Sizes that cannot be are an error here; lazrs would allocate them, and end the process where it cannot.

    Raises
    ------
    ValueError
    """
    import lazrs

    records = header.vlrs.get("LasZipVlr")
    if not records or not header.point_count:
        return
    data = records[0].record_data
    told = lazrs.LazVlr(data)
    if told.item_size() != header.point_format.size:
        raise damaged(
            path, "LAZ items", f"{told.item_size()} bytes a point, the header says {header.point_format.size}"
        )
    most = max(header.point_count, _MOST_POINTS)
    if not told.uses_variable_size_chunks() and told.chunk_size() > most:
        raise damaged(path, "LAZ chunk size", f"{told.chunk_size()} points in a file of {header.point_count}")
    size, start = path.stat().st_size, header.offset_to_point_data
    with path.open("rb") as file:
        _check_count(path, file, start, size, header.point_count)
        file.seek(start)
        chunks = lazrs.read_chunk_table(file, told)
        if sum(length for _, length in chunks) > size or any(points > most for points, _ in chunks):
            raise damaged(path, "LAZ chunk table", f"its chunks cannot fit into {size} bytes")
        if data[0] == _LAYERED:
            _check_layers(path, file, start + 8, [length for _, length in chunks], data)


def _check_count(path: Path, file: BinaryIO, start: int, size: int, points: int) -> None:
    (table,) = _unpacked(file, start, "<q")
    if table == -1:  # a writer that could not go back puts it at the end
        (table,) = _unpacked(file, size - 8, "<q")
    if not start + 8 <= table <= size - 8:
        raise damaged(path, "LAZ chunk table", f"said to stand at byte {table} of {size}")
    _, count = _unpacked(file, table, "<II")
    if count > points + 1:
        raise damaged(path, "LAZ chunk table", f"{count} chunks for {points} points")


def _check_layers(path: Path, file: BinaryIO, start: int, lengths: list[int], record: bytes) -> None:
    """A chunk is its first point, the number of its points, the sizes of its layers, and the layers."""
    (items,) = struct.unpack_from("<H", record, 32)
    kinds = [struct.unpack_from("<HH", record, 34 + 6 * place) for place in range(items)]
    layers = sum(width if kind == _EXTRA_BYTES else _LAYERS.get(kind, 0) for kind, width in kinds)
    point = sum(width for _, width in kinds)
    for length in lengths:
        sizes = _unpacked(file, start + point + 4, f"<{layers}I")
        if sum(sizes) > length:
            raise damaged(path, "LAZ chunk", f"layers of {sum(sizes)} bytes in a chunk of {length}")
        start += length


def _unpacked(file: BinaryIO, place: int, layout: str) -> tuple[int, ...]:
    file.seek(place)
    return struct.unpack(layout, file.read(struct.calcsize(layout)))
