"""Voxel coordinates packed into one integer each, in a bit layout chosen from the data.

A key holds the fields batch, x, y, z from high to low, so that integer order is lexicographic order and adding a
packed offset moves a coordinate. Three things keep that arithmetic exact:

- a *bias* per axis makes every field non-negative; it is a multiple of the coarsest stride, so that the stride
  lattice stays where it is in absolute coordinates and results do not depend on how a scene was cropped;
- *guard* cells at both ends of every axis keep ``key + offset`` inside its own field, so that no borrow or carry
  ever reaches another column or another batch;
- the widths are as small as the scene allows: int32 keys (31 bits) when they fit, int64 (63 bits) otherwise.
"""

from tamis.formats.packed_coords.keys import coarsen, field_of, fields_of, holds, pack, unpack
from tamis.formats.packed_coords.layout import AXES, KeyLayout, Triple, check_coords, choose_layout

__all__ = [
    "AXES",
    "KeyLayout",
    "Triple",
    "check_coords",
    "choose_layout",
    "coarsen",
    "field_of",
    "fields_of",
    "holds",
    "pack",
    "unpack",
]
