"""The configuration of a segmentation run: every setting, its default and its bounds stand here, and only here."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from tamis.storage import read_record, read_toml
from tamis.voxel.scenes.sensors import SensorName
from tamis.voxel.scenes.street_world import WorldName

Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]
_PRESETS = Path(str(files("tamis.voxel.segmentation") / "presets"))
NetworkName = Literal["MinkUNet14", "MinkUNet18", "MinkUNet34", "MinkUNet42"]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SegmentationConfig:
    """What is trained, on which streets, and for how long.

    Training streets take the seeds from ``first_seed`` on, each used once; validation takes seeds below 10,000.

    Parameters
    ----------
    network : name of a MinkUNet in :mod:`tamis.voxel.networks`
    width : float
        Factor on the network's channel counts.
    voxel_size_m : float
    sensors, worlds
        Training draws from all combinations.
    epochs, scenes_per_epoch, scenes_per_batch : int
    learning_rate : float
        Peak of a cosine after a short warm-up.
    class_weight_power : float
        Exponent of the inverse class shares in the loss; 0 treats all voxels alike.
    validation_scenes : int
        Streets per world and sensor, measured after every epoch.
    """

    network: NetworkName = "MinkUNet14"
    width: Rate = 0.375
    voxel_size_m: Rate = 0.15
    sensors: tuple[SensorName, ...] = ("hdl64", "hdl32")
    worlds: tuple[WorldName, ...] = ("canyon", "suburb")
    epochs: Positive = 12
    scenes_per_epoch: Positive = 100
    scenes_per_batch: Positive = 1
    learning_rate: Rate = 0.004
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    class_weight_power: Annotated[float, Field(ge=0, le=1)] = 0.5
    validation_scenes: Positive = 2
    first_seed: Annotated[int, Field(ge=10_000)] = 10_000
    seed: Annotated[int, Field(ge=0)] = 0


def load_config(source: str | Path) -> SegmentationConfig:
    """Read a TOML file, or the preset of that name.

    Raises
    ------
    ValueError
        If a key is unknown (the message names the nearest known one), a value out of bounds, or the file no TOML.
    FileNotFoundError
        If there is neither such a file nor such a preset; the message lists the presets.
    """
    path = _path(source)
    return read_record(SegmentationConfig, read_toml(path), f"load_config({str(source)!r})")


def preset_names() -> list[str]:
    """The presets that ship with the package."""
    return sorted(path.stem for path in _PRESETS.glob("*.toml"))


def _path(source: str | Path) -> Path:
    if str(source) in preset_names():
        return _PRESETS / f"{source}.toml"
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(
            f"load_config({str(source)!r}): there is no such file, and the presets are {', '.join(preset_names())}."
        )
    return path
