"""``torch.ops.tamis.planned_rows`` and ``unpack_keys``: the check that a plan is of these coordinates, which a recorded network
makes at every run."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tamis.formats.packed_coords import KeyLayout, unpack

library = torch.library.Library("tamis", "FRAGMENT")
library.define("unpack_keys(Tensor keys, SymInt[] bits, SymInt[] bias) -> Tensor")
library.define("planned_rows(Tensor coords, Tensor planned, Tensor? order) -> Tensor")


def unpacked(keys: Tensor, layout: KeyLayout) -> Tensor:
    """The coordinates of keys, shape (N, 4), int32, by an operator: a recorded network is then the same for every layout."""
    coords: Tensor = torch.ops.tamis.unpack_keys.default(keys, layout.bits, layout.bias)
    return coords


def planned_rows(coords: Tensor, planned: Tensor, order: Tensor | None) -> Tensor:
    """The row of ``coords`` that stands in each row of a plan, shape (N,), int64; an error at run time if they are others.

    Parameters
    ----------
    coords, planned : Tensor, shape (N, 4), int32
        Those of a call, and those of the plan in its own order.
    order : Tensor, shape (N,), int64, or None
        The row of each planned coordinate; None if the order is the same.
    """
    rows: Tensor = torch.ops.tamis.planned_rows.default(coords, planned, order)
    return rows


def _unpack_keys(keys: Tensor, bits: Sequence[int], bias: Sequence[int]) -> Tensor:
    (batch, *axes), (x, y, z) = bits, bias
    return unpack(keys, KeyLayout((batch, axes[0], axes[1], axes[2]), (x, y, z)))


def _unpack_keys_fake(keys: Tensor, bits: Sequence[int], bias: Sequence[int]) -> Tensor:
    return keys.new_empty(keys.shape[0], 4, dtype=torch.int32)


def _planned_rows(coords: Tensor, planned: Tensor, order: Tensor | None) -> Tensor:
    given = coords if order is None or len(order) != len(coords) else coords[order]
    if not torch.equal(given, planned):
        raise ValueError(
            f"network(x, plan=plan): the plan's coordinates ({len(planned)} voxels) are not those of x ({len(coords)} "
            f"voxels). Make a plan for these: voxel.plan(network, x), and give it at every call."
        )
    return torch.arange(len(planned), device=planned.device) if order is None else order.clone()


def _planned_rows_fake(coords: Tensor, planned: Tensor, order: Tensor | None) -> Tensor:
    return planned.new_empty(planned.shape[0], dtype=torch.int64)


for _name, _call, _fake in (
    ("unpack_keys", _unpack_keys, _unpack_keys_fake),
    ("planned_rows", _planned_rows, _planned_rows_fake),
):
    library.impl(_name, _call, "CompositeExplicitAutograd")
    torch.library.register_fake(f"tamis::{_name}", _fake, lib=library)
