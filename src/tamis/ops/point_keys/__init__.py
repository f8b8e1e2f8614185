"""From points in metres to the keys of their cells, and to the rows of known keys."""

from tamis.ops.point_keys.call import (
    KnownKeys,
    cell_range,
    keys_of_points,
    rows_around_points,
    rows_of_points,
)

__all__ = ["KnownKeys", "cell_range", "keys_of_points", "rows_around_points", "rows_of_points"]
