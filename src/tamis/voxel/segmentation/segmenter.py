"""A trained network with all that is needed to run it on a scan: one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor

from tamis.storage import (
    STRICT,
    fingerprint,
    fingerprint_of_settings,
    read_record,
    read_tensors,
    write_tensors,
)
from tamis.voxel import networks
from tamis.voxel.blocks import VoxelNetwork
from tamis.voxel.planning import Plan, plan
from tamis.voxel.segmentation.ground import height_above_ground
from tamis.voxel.segmentation.inputs import INPUT_CHANNELS, network_input, rows_of_points
from tamis.voxel.segmentation.tiles import Tile, reach_cells, tiles
from tamis.voxel.tensor import VoxelTensor

_FORMAT = "tamis voxel segmenter 1"
_MOST_VOXELS = 800_000  # of a tile: below 1 GB for the weights that ship
_NETWORKS = {
    "MinkUNet14": networks.MinkUNet14,
    "MinkUNet18": networks.MinkUNet18,
    "MinkUNet34": networks.MinkUNet34,
    "MinkUNet42": networks.MinkUNet42,
}


@dataclass(frozen=True)
class Recipe:
    """What a segmenter is: network, sizes, classes, and the data it learnt from."""

    __pydantic_config__ = STRICT

    network: str
    width: float
    voxel_size_m: float
    label_names: tuple[str, ...]
    trained_on: str


class Segmenter:
    """Labels the points of a scan.

    Parameters
    ----------
    recipe : Recipe
    network : VoxelNetwork, optional
        With as many outputs as the recipe has classes; the default is a new one.
    """

    def __init__(self, recipe: Recipe, network: VoxelNetwork | None = None) -> None:
        if recipe.network not in _NETWORKS:
            raise ValueError(
                f"Segmenter(network={recipe.network!r}): known networks are {', '.join(_NETWORKS)}."
            )
        self.recipe = recipe
        self.network = network or new_network(recipe)

    @torch.no_grad()
    def predict(
        self,
        points: Tensor,
        *,
        most_voxels: int = _MOST_VOXELS,
        progress: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """Class of every point.

        Parameters
        ----------
        points : Tensor, shape (N, 3), float32
            Metres, z up, origin at the sensor.
        most_voxels : int
            A larger cloud is labelled in tiles of about as many voxels, which bounds memory. A tile comes with a margin as
            wide as the network reaches, so that the labels are those of the whole cloud at once, bit for bit.
        progress : callable, optional
            Called with the number of points labelled so far, and of all, after every tile.

        Returns
        -------
        Tensor, shape (N,), int64
            Index into ``recipe.label_names``. The order of the points does not matter.
        """
        points = points.float()
        labels = torch.zeros(len(points), dtype=torch.int64)
        if len(points) == 0:
            return labels
        height = height_above_ground(points)
        done = 0
        for tile in self._tiles(points, most_voxels):
            voxels = network_input(points[tile.points], self.recipe.voxel_size_m, height[tile.points])
            found = self._scores(voxels).argmax(1)[rows_of_points(voxels)]
            labels[tile.points[tile.inner]] = found[tile.inner]
            done += int(tile.inner.sum())
            if progress is not None:
                progress(done, len(points))
        return labels

    def _tiles(self, points: Tensor, most_voxels: int) -> Iterator[Tile]:
        if len(points) <= most_voxels:  # every voxel holds a point
            return iter((Tile.of_all(len(points)),))
        return tiles(points, self.recipe.voxel_size_m, reach_cells(self.network), most_voxels)

    def plan(self, points: Tensor) -> Plan:
        """The plan of one scan: levels, kernel maps, chosen dataflows."""
        return plan(self.network, network_input(points.float(), self.recipe.voxel_size_m))

    def _scores(self, voxels: VoxelTensor) -> Tensor:
        was_training = self.network.training
        self.network.eval()
        scores: Tensor = self.network(voxels).feats
        self.network.train(was_training)
        return scores

    def fingerprint(self) -> str:
        """Digest of recipe and weights: equal digests, equal labels."""
        weights = "".join(
            name + fingerprint(tensor.contiguous().numpy().tobytes())
            for name, tensor in self.network.state_dict().items()
        )
        return fingerprint_of_settings({"recipe": vars(self.recipe), "weights": fingerprint(weights)})

    def save(self, path: str | Path) -> None:
        """Write weights (half precision) and recipe into one safetensors file."""
        tensors = {
            name: tensor.half() if tensor.is_floating_point() else tensor
            for name, tensor in self.network.state_dict().items()
            if not name.endswith("num_batches_tracked")
        }
        about = {**vars(self.recipe), "format": _FORMAT}
        write_tensors(path, tensors, {name: json.dumps(value) for name, value in about.items()})


def new_network(recipe: Recipe) -> VoxelNetwork:
    """An untrained network after the recipe."""
    return _NETWORKS[recipe.network](INPUT_CHANNELS, len(recipe.label_names), width=recipe.width)


def load_segmenter(source: str | Path = "street") -> Segmenter:
    """Load a segmenter from a file, or the one that ships with the package.

    ``"street"``: eight street classes, trained on generated streets only (see ``recipe.trained_on``).

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it is no segmenter.
    """
    path = Path(source)
    if str(source) == "street":
        path = Path(str(files("tamis.voxel") / "weights" / "street.safetensors"))
    if not path.is_file():
        raise FileNotFoundError(
            f'load_segmenter({str(source)!r}): there is no such file. "street" is the one that ships with tamis.'
        )
    where = f"load_segmenter({str(source)!r})"
    tensors, metadata = read_tensors(path, where=where)
    segmenter = Segmenter(_recipe(where, metadata))
    _load_weights(where, segmenter.network, tensors)
    return segmenter


def _recipe(where: str, metadata: dict[str, str]) -> Recipe:
    try:
        about = {name: json.loads(value) for name, value in metadata.items()}
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: damaged metadata: {error}") from None
    if about.pop("format", None) != _FORMAT:
        raise ValueError(f"{where}: the file's metadata does not say {_FORMAT!r}.")
    return read_record(Recipe, about, where)


def _load_weights(where: str, network: VoxelNetwork, tensors: dict[str, Tensor]) -> None:
    expected = network.state_dict()
    wanted = {
        name: tuple(t.shape) for name, t in expected.items() if not name.endswith("num_batches_tracked")
    }
    found = {name: tuple(t.shape) for name, t in tensors.items()}
    if wanted != found:
        odd = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        raise ValueError(
            f"{where}: {len(odd)} tensors do not fit the network, first {odd[0]!r}: "
            f"expected {wanted.get(odd[0], 'nothing')}, found {found.get(odd[0], 'nothing')}."
        )
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, strict=False)
    network.eval()
