"""One row per (cell, contestant) of the voxel suite."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tamis.bench.measurement import Measured
from tamis.tuning import Timing


@dataclass(frozen=True, kw_only=True)
class VoxelRow(Measured):
    """What one contestant did on one cell; see :class:`~tamis.bench.measurement.Measured` for the fields of all suites.

    Attributes
    ----------
    section : str
        "maps", "scaling", "layers", "networks", "memory" or "streaming".
    scene : str
        The generated scene.
    voxels, pairs : int
        Input voxels; pairs (input, output) over all offsets, of all layers for a network.
    kernel, c_in, c_out : str, int, int
    sort_us, map_us, feature_us : float
        The three totals: packing and sorting of coordinates, levels and kernel maps, features.
    median_us
        Of the whole call. In "maps" the keys are already sorted, in "layers" the map is already there, in "networks" the call
        starts from raw int32 coordinates.
    p95_us, p99_us : float
        Over the frames of "streaming"; ``median_us`` is the p50.
    ours_us, ratio : float
        Our time in the same block, and ``median_us / ours_us``: how many times as long as ours.
    gflops : float
        Useful 2 * pairs * c_in * c_out per nanosecond.
    gemm_us : float
        What ``torch.mm`` would take for the same FLOPs at each layer's channels.
    max_error : float
        For "maps": wrong entries.
    nbytes : int
        Of the map or plan.
    peak_bytes, weight_bytes, live_bytes : int
        Resident memory that a run added at its peak in a process of its own, weights included; the weights; the largest sum of
        features that must exist at one time. Room is ``weight_bytes + live_bytes + nbytes`` and 20 %.
    """

    scene: str
    voxels: int
    pairs: int | None = None
    kernel: str = ""
    c_in: int | None = None
    c_out: int | None = None
    sort_us: float | None = None
    map_us: float | None = None
    feature_us: float | None = None
    p95_us: float | None = None
    p99_us: float | None = None
    ours_us: float | None = None
    ratio: float | None = None
    gemm_us: float | None = None
    nbytes: int | None = None
    peak_bytes: int | None = None
    weight_bytes: int | None = None
    live_bytes: int | None = None

    @property
    def memory_over_need(self) -> float | None:
        """Peak over the sum of weights, live features and plan."""
        if self.peak_bytes is None:
            return None
        return self.peak_bytes / ((self.weight_bytes or 0) + (self.live_bytes or 0) + (self.nbytes or 0))

    def timed(self, timing: Timing, ours_us: float | None) -> VoxelRow:
        """With a timing, compared with ours in the same block."""
        ratio = None if ours_us is None else timing.median_us / ours_us
        return replace(self.with_timing(timing), ours_us=ours_us, ratio=ratio)
