"""Files that are whole or absent: written beside their place, then renamed into it."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Give a path to write to; rename it to ``path`` when the block ends well, remove it when it raises.

    Examples
    --------
    >>> with written_beside(Path("metrics.json")) as beside:  # doctest: +SKIP
    ...     beside.write_text("{}")
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Delete what killed processes were writing below ``folder``; only for the one who holds it alone."""
    for path in folder.rglob(".*.part"):
        path.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as readable JSON; numbers that JSON does not have (NaN, infinity) become null."""
    with written_beside(path) as beside:
        beside.write_text(json.dumps(_finite(content), indent=1, allow_nan=False) + "\n")


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write named tensors as safetensors, from any device."""
    with written_beside(path) as beside:
        save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, beside)


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {str(key): _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    if isinstance(content, float) and (content != content or abs(content) == float("inf")):
        return None
    return content
