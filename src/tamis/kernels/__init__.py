from tamis.kernels.pair_lists import (
    GRANULE,
    IDENTITY,
    INPUT_FIRST,
    OUTPUT_FIRST,
    Epilogue,
    PairLists,
    Reduction,
)
from tamis.kernels.point_grid import PointGrid

__all__ = [
    "GRANULE",
    "IDENTITY",
    "INPUT_FIRST",
    "OUTPUT_FIRST",
    "Epilogue",
    "PairLists",
    "PointGrid",
    "Reduction",
]
