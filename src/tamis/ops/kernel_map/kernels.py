"""The table of neighbour searches. To add one: its file in csrc/kernels or kernels/, and a record here."""

from __future__ import annotations

import torch

from tamis.kernels import reference
from tamis.kernels.cpu import KeyColumns, kernel_map_merge
from tamis.ops.choice import Kernel, takes_any
from tamis.ops.kernel_map.cost import MapProblem, tap_work

KEYS = (torch.int32, torch.int64)


def _columns(p: MapProblem) -> KeyColumns:
    return KeyColumns(p.offset_keys, p.taps, p.step, p.spaced)


def _keys(p: MapProblem) -> tuple[int, ...]:
    return p.offset_keys


KERNELS: tuple[Kernel[MapProblem], ...] = (
    Kernel(
        name="cpu/kernel_map_merge",
        dtypes=KEYS,
        refuses=takes_any,
        pack=_columns,
        packed=KeyColumns,
        work=tap_work,
        prices={"avx512": {"tap": 1.3}, "avx2": {"tap": 1.5}, "baseline": {"tap": 1.8}},
        call=kernel_map_merge,
    ),
    Kernel(
        name="reference/kernel_map_binary",
        dtypes=KEYS,
        refuses=takes_any,
        pack=_keys,
        packed=tuple,
        work=tap_work,
        prices={isa: {"tap": 34.0} for isa in ("avx512", "avx2", "baseline")},
        call=reference.kernel_map_binary,
    ),
)
