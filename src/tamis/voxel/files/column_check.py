"""Whether the values of a file without a header look like the columns that its kind has."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tamis.voxel.files.point_cloud import damaged

_FARTHEST_M = 1e5  # no lidar sees as far, and files of float64 or integers read as float32 do not stay below
_WIDTHS = range(3, 17)
_FEWEST_ROWS = 64  # fewer say nothing about spreads
_CLEAR = 0.1  # difference of mean log spreads
_CLEAR_OF_MULTIPLE = (
    0.5  # every other, third, ... point of a real scan may differ somewhat: lasers fire in turn
)
_SAMPLE = 4_000_000

Table = npt.NDArray[np.float32]


def check_columns(path: Path, table: Table, names: tuple[str, ...]) -> None:
    """Refuse values that do not look like x, y, z, intensity (and ring), or may as well be other columns.

    Three questions. Are the values possible for these names? Do they vary less within as many columns as this than
    within any other number that divides the file? If that does not tell: do negative values stand in the coordinates only?

    Raises
    ------
    ValueError
        With the number of columns that fits better, if there is one.
    """
    finite = np.where(np.isfinite(table), table, 0)
    strange = _impossible(finite, names)
    here = len(names)
    rivals = [width for width in _WIDTHS if table.size % width == 0 and width != here]
    others = _spreads(finite.reshape(-1), [here, *rivals])
    own = others.pop(here)
    clear = {w: _CLEAR_OF_MULTIPLE if w % here == 0 else _CLEAR for w in others}
    better = [w for w, spread in others.items() if spread < own - clear[w]]
    if strange is None and not better:
        undecided = [w for w, spread in others.items() if w % here and spread < own + _CLEAR]
        if len(table) < _FEWEST_ROWS:
            undecided = [w for w in rivals if w % here]
        if not undecided or _signs_tell(finite):
            return
        strange = "the file may as well have " + " or ".join(map(str, undecided))
    fits = f"; the values fit {_narrowest_best(others)} columns" if better else ""
    raise damaged(
        path,
        " ".join(names),
        f"a file of this name should have these {here} float32 columns, but "
        f"{strange or 'its values vary too much within them'}{fits}. Give columns=, for example "
        f'columns=("x", "y", "z", "intensity", "ring", "_") or --columns x,y,z,intensity,ring,_.',
    )


def _narrowest_best(spreads: dict[int, float]) -> int:
    """The number of columns that fits best; its multiples fit as well."""
    return min(width for width, spread in spreads.items() if spread < min(spreads.values()) + _CLEAR)


def _impossible(table: Table, names: tuple[str, ...]) -> str | None:
    """What no scan has in these columns."""
    farthest = float(np.abs(table[:, :3]).max())
    if farthest > _FARTHEST_M:
        return f"coordinates reach {farthest:.3g} m"
    for place, name in enumerate(names[3:], 3):
        lowest = float(table[:, place].min())
        if lowest < 0:
            return f"{name} reaches {lowest:.3g}"
        if name == "ring" and bool((table[:, place] % 1).any()):
            return "ring is no whole number"
    return None


def _spreads(values: Table, widths: list[int]) -> dict[int, float]:
    """Mean log of the columns' standard deviations, for every number of columns that has rows enough to tell, and the first."""
    values = values[:_SAMPLE].astype(np.float64)
    smallest = 1e-3 * float(values.std()) + 1e-30
    spreads = {}
    for width in widths:
        rows = len(values) // width
        if rows >= _FEWEST_ROWS or width == widths[0]:
            columns = values[: rows * width].reshape(rows, width)
            spreads[width] = float(np.log(columns.std(axis=0) + smallest).mean())
    return spreads


def _signs_tell(table: Table) -> bool:
    """Negative values in x, y or z and in no other column: columns read in the wrong places would mix them."""
    return bool((table[:, :3] < 0).any()) and not bool((table[:, 3:] < 0).any())
