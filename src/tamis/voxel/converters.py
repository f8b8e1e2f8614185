"""Weights of other engines in our canonical layout: (kernel_volume, in, out), x outermost and z innermost.

Each engine flattens or orders the kernel in its own way; the numbers are the same cross-correlation
``Y[j] = sum W[d] X[j + d]`` everywhere.

=================  ==========================================================================================
spconv 2           ``(out, k, k, k, in)``, kernel axes in the order of the coordinate columns (often z, y, x)
MinkowskiEngine    ``(volume, in, out)``, first coordinate axis fastest; a volume of 1 is ``(in, out)``
TorchSparse        ``(volume, in, out)``, x fastest if the volume is odd, z fastest if it is even
=================  ==========================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal

from torch import Tensor

from tamis.voxel.modules import Size, triple

Axes = Literal["xyz", "zyx"]
State = dict[str, Tensor]


def from_spconv(state: Mapping[str, Tensor], *, axes: Axes = "zyx") -> State:
    """Convert a state dict of spconv 2; names stay, every 5-dimensional weight becomes canonical.

    Parameters
    ----------
    state : mapping of name to Tensor
    axes : "zyx" or "xyz"
        Order of the coordinate columns the network was trained with; detectors use batch, z, y, x.
    """
    if axes not in ("xyz", "zyx"):
        raise ValueError(f'from_spconv(axes={axes!r}): expected "zyx" or "xyz".')
    return {name: _spconv_weight(value, axes) if value.ndim == 5 else value for name, value in state.items()}


def from_minkowski(state: Mapping[str, Tensor], kernel_sizes: Callable[[str], Size] | Size = 3) -> State:
    """Convert a state dict of MinkowskiEngine: ``*.kernel`` becomes ``*.weight``, biases lose their first axis.

    Parameters
    ----------
    state : mapping of name to Tensor
    kernel_sizes : int, three ints, or callable of a weight's name
        Needed only for kernels that are not cubes; the side of a cube is read off its volume.
    """
    return _from_lists(state, kernel_sizes, lambda volume: True)


def from_torchsparse(state: Mapping[str, Tensor], kernel_sizes: Callable[[str], Size] | Size = 3) -> State:
    """Convert a state dict of TorchSparse; parameters as in :func:`from_minkowski`."""
    return _from_lists(state, kernel_sizes, lambda volume: volume % 2 == 1)


def from_openpcdet(state: Mapping[str, Tensor], prefix: str = "backbone_3d.") -> State:
    """State of OpenPCDet's ``VoxelBackBone8x`` or ``VoxelResBackBone8x`` for the network of the same name here.

    Parameters
    ----------
    state : mapping of name to Tensor
        The detector's ``model_state``; entries without ``prefix`` are left out.
    """
    own = {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}
    if not own:
        raise ValueError(
            f"from_openpcdet(state, prefix={prefix!r}): none of {len(state)} names starts with it. Pass the "
            f"checkpoint's 'model_state', or prefix=\"\" for the state of the backbone alone."
        )
    return {_openpcdet_name(name): value for name, value in from_spconv(own, axes="zyx").items()}


def _spconv_weight(weight: Tensor, axes: Axes) -> Tensor:
    order = (1, 2, 3) if axes == "xyz" else (3, 2, 1)
    moved = weight.permute(*order, 4, 0)
    return moved.reshape(-1, weight.shape[4], weight.shape[0]).contiguous()


def _from_lists(
    state: Mapping[str, Tensor],
    kernel_sizes: Callable[[str], Size] | Size,
    x_is_fastest: Callable[[int], bool],
) -> State:
    converted = {}
    for name, value in state.items():
        if name.rsplit(".", 1)[-1] == "kernel":
            listed = value if value.ndim == 3 else value[None]
            size = _kernel_size(name, len(listed), kernel_sizes)
            if x_is_fastest(len(listed)):
                x, y, z = size
                listed = listed.reshape(z, y, x, *listed.shape[1:]).transpose(0, 2).reshape(listed.shape)
            converted[name[: -len("kernel")] + "weight"] = listed.contiguous()
        elif name.rsplit(".", 1)[-1] == "bias" and value.ndim == 2 and len(value) == 1:
            converted[name] = value[0]
        else:
            converted[name] = value
    return converted


def _kernel_size(name: str, volume: int, given: Callable[[str], Size] | Size) -> tuple[int, int, int]:
    side = round(volume ** (1 / 3))
    cube = (side, side, side) if side**3 == volume else None
    told = triple(given(name)) if callable(given) else triple(given)
    size = told if told[0] * told[1] * told[2] == volume else cube
    if size is None:
        raise ValueError(
            f"converting {name!r}: it has {volume} offsets, which is neither a cube nor kernel_sizes={told}. "
            f"Pass kernel_sizes= a function from the name to the three sizes along x, y, z."
        )
    return size


def _openpcdet_name(name: str) -> str:
    name = re.sub(r"^conv_input\.", "input.", name)
    name = re.sub(r"^conv_out\.", "output.", name)
    name = re.sub(r"^conv(\d)\.", lambda found: f"stages.{int(found[1]) - 1}.", name)
    for theirs, ours in (
        ("conv1", "first.conv"),
        ("bn1", "first.norm"),
        ("conv2", "second.conv"),
        ("bn2", "second.norm"),
    ):
        name = re.sub(rf"\.{theirs}\.", f".{ours}.", name)
    name = re.sub(r"^((?:input|output|stages\.\d\.\d))\.0\.", r"\1.conv.", name)
    return re.sub(r"^((?:input|output|stages\.\d\.\d))\.1\.", r"\1.norm.", name)
