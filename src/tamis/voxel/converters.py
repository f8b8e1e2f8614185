"""Weights of other engines in our canonical layout: (kernel_volume, in, out), x outermost and z innermost.

Each engine flattens or orders the kernel in its own way; the numbers are the same cross-correlation
``Y[j] = sum W[d] X[j + d]`` everywhere.

=================  ==========================================================================================
spconv 2           ``(out, k, k, k, in)``, kernel axes in the order of the coordinate columns (often z, y, x);
                   a 1x1x1 layer of stride 1 reads the same buffer as ``(in, out)``
spconv 1, mmcv     ``(k, k, k, in, out)``, kernel axes as above
MinkowskiEngine    ``(volume, in, out)``, first coordinate axis fastest; a volume of 1 is ``(in, out)``
TorchSparse        ``(volume, in, out)``, x fastest if the volume is odd, z fastest if it is even
=================  ==========================================================================================
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Literal

from torch import Tensor

from tamis.voxel.modules import Size, triple

Axes = Literal["xyz", "zyx"]
Version = Literal[1, 2]
State = dict[str, Tensor]

_LONGEST_SIDE = 15  # of a kernel; more is a number of channels


def from_spconv(
    state: Mapping[str, Tensor],
    *,
    axes: Axes = "zyx",
    version: Version | None = None,
    strided_1x1: Collection[str] = (),
) -> State:
    """Convert a state dict of spconv or mmcv; names stay, every 5-dimensional weight becomes canonical.

    Parameters
    ----------
    state : mapping of name to Tensor
    axes : "zyx" or "xyz"
        Order of the coordinate columns the network was trained with; detectors use batch, z, y, x.
    version : 2 or 1, optional
        1 for spconv 1.x and mmcv. By default it is read off the weights and their biases; one for all.
    strided_1x1 : names of weights
        1x1x1 weights of spconv 2 whose layer has a stride above 1: only these are stored as all other kernels are, which their
        shape does not tell.

    Raises
    ------
    ValueError
        If a weight has the shape of neither version, or of both and none is given; or a name of ``strided_1x1`` is no
        1x1x1 weight. The message names the weight.
    """
    if axes not in ("xyz", "zyx"):
        raise ValueError(f'from_spconv(axes={axes!r}): expected "zyx" or "xyz".')
    if version not in (None, 1, 2):
        raise ValueError(f"from_spconv(version={version!r}): expected 1 or 2.")
    weights = {name: value for name, value in state.items() if value.ndim == 5}
    for name in strided_1x1:
        if name not in weights or math.prod(weights[name].shape[1:4]) != 1:
            raise ValueError(f"from_spconv(strided_1x1=...): {name!r} is no 1x1x1 weight of the state.")
    stored = _stored_version(state, weights, version) if weights else 2
    converted = dict(state)
    for name, weight in weights.items():
        if stored == 2 and math.prod(weight.shape[1:4]) == 1 and name not in strided_1x1:
            converted[name] = weight.reshape(1, weight.shape[4], weight.shape[0]).contiguous()
        else:
            converted[name] = _canonical(weight if stored == 1 else weight.permute(1, 2, 3, 4, 0), axes)
    return converted


def from_minkowski(state: Mapping[str, Tensor], kernel_sizes: Callable[[str], Size] | Size = 3) -> State:
    """Convert a state dict of MinkowskiEngine: ``*.kernel`` becomes ``*.weight``, biases lose their first axis.

    Parameters
    ----------
    state : mapping of name to Tensor
    kernel_sizes : int, three ints, or callable of a weight's name
        Needed only for kernels that are not cubes; the side of a cube is read off its volume. A callable's answer must
        have the volume of the kernel.

    Raises
    ------
    ValueError
        If a kernel has no shape (volume, in, out) or (in, out), or a volume that is neither a cube's nor that of its
        ``kernel_sizes``. The message names it.

    Notes
    -----
    Kernels of even size above 2 start at the voxel itself there and at -1 here: give their layers ``padding=0``.
    """
    return _from_lists("from_minkowski", state, kernel_sizes, lambda volume: True)


def from_torchsparse(state: Mapping[str, Tensor], kernel_sizes: Callable[[str], Size] | Size = 3) -> State:
    """Convert a state dict of TorchSparse; parameters as in :func:`from_minkowski`."""
    return _from_lists("from_torchsparse", state, kernel_sizes, lambda volume: volume % 2 == 1)


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


def _canonical(weight: Tensor, axes: Axes) -> Tensor:
    """From three kernel axes, in, out."""
    moved = weight if axes == "xyz" else weight.permute(2, 1, 0, 3, 4)
    return moved.reshape(-1, *weight.shape[3:]).contiguous()


def _stored_version(
    state: Mapping[str, Tensor], weights: Mapping[str, Tensor], told: Version | None
) -> Version:
    """The version of which all weights have the shape; where both would do, the one that makes more kernels cubes."""
    able: tuple[Version, ...] = (told,) if told else (1, 2)
    cubes = dict.fromkeys(able, 0)
    for name, weight in weights.items():
        bias = state.get(name.removesuffix("weight") + "bias")
        fits = [v for v in cubes if _fits(weight, bias, v)]
        if not fits:
            raise ValueError(
                f"from_spconv(state): {name!r} of shape {tuple(weight.shape)}"
                f"{'' if bias is None else f' with a bias of {len(bias)}'} is {_layouts(cubes)}. "
                f"Leave weights of other layers, as of dense Conv3d, out of the state."
            )
        cubes = {v: cubes[v] + (len(set(_kernel_of(weight, v))) == 1) for v in fits}
    if len(cubes) == 2 and cubes[1] == cubes[2]:
        name, weight = next(iter(weights.items()))
        raise ValueError(
            f"from_spconv(state): {name!r} of shape {tuple(weight.shape)} may be (out, k, k, k, in) of spconv 2 or "
            f"(k, k, k, in, out) of spconv 1.x and mmcv, and nothing else in the state tells. Give version=2 or version=1."
        )
    return max(cubes, key=lambda v: cubes[v])


def _layouts(versions: Collection[Version]) -> str:
    names = {1: "no (k, k, k, in, out) of spconv 1.x and mmcv", 2: "no (out, k, k, k, in) of spconv 2"}
    return ", and ".join(names[v] for v in versions)


def _fits(weight: Tensor, bias: Tensor | None, version: Version) -> bool:
    channels = weight.shape[4 if version == 1 else 0]
    return max(_kernel_of(weight, version)) <= _LONGEST_SIDE and (bias is None or bias.shape == (channels,))


def _kernel_of(weight: Tensor, version: Version) -> tuple[int, ...]:
    return tuple(weight.shape[:3] if version == 1 else weight.shape[1:4])


def _from_lists(
    call: str,
    state: Mapping[str, Tensor],
    kernel_sizes: Callable[[str], Size] | Size,
    x_is_fastest: Callable[[int], bool],
) -> State:
    converted = {}
    for name, value in state.items():
        if name.rsplit(".", 1)[-1] == "kernel":
            if value.ndim not in (2, 3):
                raise ValueError(
                    f"{call}(state): {name!r} has shape {tuple(value.shape)}, but a kernel is (volume, in, out) or (in, out)."
                )
            listed = value if value.ndim == 3 else value[None]
            size = _kernel_size(f"{call}(state): {name!r}", len(listed), kernel_sizes, name)
            if x_is_fastest(len(listed)):
                x, y, z = size
                listed = listed.reshape(z, y, x, *listed.shape[1:]).transpose(0, 2).reshape(listed.shape)
            converted[name[: -len("kernel")] + "weight"] = listed.contiguous()
        elif name.rsplit(".", 1)[-1] == "bias" and value.ndim == 2 and len(value) == 1:
            converted[name] = value[0]
        else:
            converted[name] = value
    return converted


def _kernel_size(
    what: str, volume: int, given: Callable[[str], Size] | Size, name: str
) -> tuple[int, int, int]:
    told = triple(given(name)) if callable(given) else triple(given)
    if math.prod(told) == volume:
        return told
    side = round(volume ** (1 / 3))
    if side**3 != volume or (callable(given) and volume > 1):
        raise ValueError(
            f"{what} has {volume} offsets, which is {'not' if callable(given) else 'neither a cube nor'} kernel_sizes={told}. "
            f"Pass kernel_sizes= a function from the name to the three sizes along x, y, z."
        )
    return side, side, side


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
