"""The solids that a street is made of, and where a ray meets them.

Each shape answers three questions about an eye point: which azimuths it covers, how near and far it is
(so that a ray caster tests few rays), and at what distance a bundle of rays meets it (inf: not at all).
"""

from dataclasses import dataclass
from math import atan2, cos, hypot, pi, sin

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Rays = tuple[FloatArray, FloatArray, FloatArray]  # unit direction components, any one shape
Eye = tuple[float, float, float]


@dataclass(frozen=True)
class Box:
    """An upright box, ``z0 <= z <= z1``, turned by ``yaw`` (radians) about its centre (x, y)."""

    x: float
    y: float
    z0: float
    z1: float
    half_length: float
    half_width: float
    yaw: float
    label: int
    reflectivity: float = 0.4

    def azimuths(self, eye: Eye) -> tuple[float, float]:
        u, v = self._local(eye)
        if abs(u) <= self.half_length and abs(v) <= self.half_width:
            return 0.0, pi
        centre = atan2(self.y - eye[1], self.x - eye[0])
        c, s = cos(self.yaw), sin(self.yaw)
        turns = []
        for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            dx, dy = a * self.half_length, b * self.half_width
            angle = atan2(self.y + s * dx + c * dy - eye[1], self.x + c * dx - s * dy - eye[0])
            turns.append((angle - centre + pi) % (2 * pi) - pi)
        return centre + (max(turns) + min(turns)) / 2, (max(turns) - min(turns)) / 2

    def distances(self, eye: Eye) -> tuple[float, float]:
        u, v = (abs(a) for a in self._local(eye))
        near = hypot(max(u - self.half_length, 0.0), max(v - self.half_width, 0.0))
        return near, hypot(u + self.half_length, v + self.half_width)

    def meet(self, eye: Eye, rays: Rays, rng: np.random.Generator) -> FloatArray:
        dx, dy, dz = rays
        c, s = cos(self.yaw), sin(self.yaw)
        u, v = self._local(eye)
        enter, leave = _slab(u, c * dx + s * dy, -self.half_length, self.half_length)
        for origin, direction, low, high in (
            (v, c * dy - s * dx, -self.half_width, self.half_width),
            (eye[2], dz, self.z0, self.z1),
        ):
            near, far = _slab(origin, direction, low, high)
            enter, leave = np.maximum(enter, near), np.minimum(leave, far)
        return np.where((enter <= leave) & (enter > 0), enter, np.inf)

    def _local(self, eye: Eye) -> tuple[float, float]:
        dx, dy = eye[0] - self.x, eye[1] - self.y
        c, s = cos(self.yaw), sin(self.yaw)
        return c * dx + s * dy, c * dy - s * dx


@dataclass(frozen=True)
class Cylinder:
    """An upright cylinder without lids."""

    x: float
    y: float
    z0: float
    z1: float
    radius: float
    label: int
    reflectivity: float = 0.4

    def azimuths(self, eye: Eye) -> tuple[float, float]:
        return _round_azimuths(self.x, self.y, self.radius, eye)

    def distances(self, eye: Eye) -> tuple[float, float]:
        return _round_distances(self.x, self.y, self.radius, eye)

    def meet(self, eye: Eye, rays: Rays, rng: np.random.Generator) -> FloatArray:
        dx, dy, dz = rays
        ox, oy = eye[0] - self.x, eye[1] - self.y
        enter, _ = _quadratic(dx * dx + dy * dy, ox * dx + oy * dy, ox * ox + oy * oy - self.radius**2)
        z = eye[2] + np.where(np.isfinite(enter), enter, 0.0) * dz
        return np.where((enter > 0) & (z >= self.z0) & (z <= self.z1), enter, np.inf)


@dataclass(frozen=True)
class Foliage:
    """An ellipsoid of leaves: a ray enters it and stops after an exponentially distributed depth.

    ``depth_m`` is the mean of that depth; a ray that would stop behind the far side passes through.
    A depth of zero makes it solid.
    """

    x: float
    y: float
    z: float
    radius: float
    half_height: float
    depth_m: float
    label: int
    reflectivity: float = 0.3

    @property
    def z0(self) -> float:
        return self.z - self.half_height

    @property
    def z1(self) -> float:
        return self.z + self.half_height

    def azimuths(self, eye: Eye) -> tuple[float, float]:
        return _round_azimuths(self.x, self.y, self.radius, eye)

    def distances(self, eye: Eye) -> tuple[float, float]:
        return _round_distances(self.x, self.y, self.radius, eye)

    def meet(self, eye: Eye, rays: Rays, rng: np.random.Generator) -> FloatArray:
        squash = self.radius / self.half_height
        dx, dy, dz = rays[0], rays[1], rays[2] * squash
        ox, oy, oz = eye[0] - self.x, eye[1] - self.y, (eye[2] - self.z) * squash
        a, b = dx * dx + dy * dy + dz * dz, ox * dx + oy * dy + oz * dz
        enter, leave = _quadratic(a, b, ox * ox + oy * oy + oz * oz - self.radius**2)
        stop = np.maximum(enter, 0.0) + self.depth_m * rng.standard_exponential(enter.shape)
        return np.where(stop < leave, stop, np.inf)


Shape = Box | Cylinder | Foliage


def _slab(origin: float, direction: FloatArray, low: float, high: float) -> tuple[FloatArray, FloatArray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (low - origin) / direction, (high - origin) / direction
    return np.fmin(a, b), np.fmax(a, b)


def _quadratic(a: FloatArray, b: FloatArray, c: float) -> tuple[FloatArray, FloatArray]:
    """Roots of a t² + 2 b t + c, or (inf, -inf) where there are none."""
    discriminant = b * b - a * c
    hit = discriminant > 0
    root = np.sqrt(np.where(hit, discriminant, 0.0))
    return np.where(hit, (-b - root) / a, np.inf), np.where(hit, (-b + root) / a, -np.inf)


def _round_azimuths(x: float, y: float, radius: float, eye: Eye) -> tuple[float, float]:
    dx, dy = x - eye[0], y - eye[1]
    distance = hypot(dx, dy)
    if distance <= radius:
        return 0.0, pi
    return atan2(dy, dx), float(np.arcsin(radius / distance))


def _round_distances(x: float, y: float, radius: float, eye: Eye) -> tuple[float, float]:
    distance = hypot(x - eye[0], y - eye[1])
    return max(distance - radius, 0.0), distance + radius
