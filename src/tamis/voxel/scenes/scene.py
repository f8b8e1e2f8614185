"""What every generator returns, and the classes a street is made of."""

from dataclasses import dataclass

from torch import Tensor

#: Classes of the generated streets; a label is an index into this tuple.
STREET_LABELS = ("road", "sidewalk", "terrain", "building", "vegetation", "pole", "vehicle", "pedestrian")
ROAD, SIDEWALK, TERRAIN, BUILDING, VEGETATION, POLE, VEHICLE, PEDESTRIAN = range(len(STREET_LABELS))

#: Label of points that belong to no class: the vehicle that carries the sensor, stray returns.
IGNORED = -1


@dataclass(frozen=True)
class Scene:
    """A generated point cloud.

    Attributes
    ----------
    points : Tensor, shape (N, 3), float32
        Metres; x forward, y left, z up. Lidar scenes have their origin at the sensor.
    features : Tensor, shape (N, C), float32
        One column per name in ``feature_names``.
    labels : Tensor, shape (N,), int64
        Index into ``label_names``, or -1 for points without a class.
    label_names, feature_names : tuple of str
    """

    points: Tensor
    features: Tensor
    labels: Tensor
    label_names: tuple[str, ...]
    feature_names: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.points.shape[0])
