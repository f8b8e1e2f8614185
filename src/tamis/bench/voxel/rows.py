"""One row per (cell, contestant) of the voxel suite."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tamis.bench.measurement.machine import Machine
from tamis.tuning.timer import Timing


@dataclass(frozen=True, kw_only=True)
class VoxelRow:
    """What one contestant did on one cell. Empty in the CSV = None = unknown or not applicable.

    Attributes
    ----------
    section : str
        "maps", "scaling", "layers", "networks", "memory" or "streaming".
    cell, scene : str
        What was computed, and on which generated scene.
    voxels, pairs : int
        Input voxels; pairs (input, output) over all offsets, of all layers for a network.
    kernel, c_in, c_out : str, int, int
    contestant, status, detail, note : str
        Status is "ok", "refused" (wrong result, not timed) or "unavailable", with the reason in ``note``.
    sort_us, map_us, feature_us : float
        The three totals: packing and sorting of coordinates, levels and kernel maps, features.
    median_us, q1_us, q3_us, spread, samples, dirty
        Of the whole call, see :class:`tamis.tuning.timer.Timing`. In "maps" the keys are already sorted, in "layers" the
        map is already there, in "networks" the call starts from raw int32 coordinates.
    p95_us, p99_us : float
        Over the frames of "streaming"; ``median_us`` is the p50.
    ours_us, ratio : float
        Our time in the same block, and ``median_us / ours_us``: how many times as long as ours.
    gflops, peak_gflops : float
        Useful 2 * pairs * c_in * c_out per nanosecond; the machine's FMA peak at this thread count.
    gemm_us : float
        What ``torch.mm`` would take for the same FLOPs at each layer's channels.
    max_error, tolerance : float
        Relative to sums of absolute values; wrong map entries for "maps".
    nbytes : int
        Of the map or plan.
    peak_bytes, weight_bytes, live_bytes : int
        Resident memory that a run added at its peak in a process of its own, weights included; the weights; the largest sum of
        features that must exist at one time. Room is ``weight_bytes + live_bytes + nbytes`` and 20 %.
    device, cpu, isa, dtype, threads, versions, build, date
        Where and with what it ran.
    """

    section: str
    cell: str
    scene: str
    voxels: int
    contestant: str
    pairs: int | None = None
    kernel: str = ""
    c_in: int | None = None
    c_out: int | None = None
    status: str = "ok"
    detail: str = ""
    note: str = ""
    sort_us: float | None = None
    map_us: float | None = None
    feature_us: float | None = None
    median_us: float | None = None
    q1_us: float | None = None
    q3_us: float | None = None
    spread: float | None = None
    samples: int | None = None
    dirty: float | None = None
    p95_us: float | None = None
    p99_us: float | None = None
    ours_us: float | None = None
    ratio: float | None = None
    gflops: float | None = None
    peak_gflops: float | None = None
    gemm_us: float | None = None
    max_error: float | None = None
    tolerance: float | None = None
    nbytes: int | None = None
    peak_bytes: int | None = None
    weight_bytes: int | None = None
    live_bytes: int | None = None
    device: str = ""
    cpu: str = ""
    isa: str = ""
    dtype: str = "float32"
    threads: int = 0
    versions: str = ""
    build: str = ""
    date: str = ""

    @property
    def memory_over_need(self) -> float | None:
        """Peak over the sum of weights, live features and plan."""
        if self.peak_bytes is None:
            return None
        return self.peak_bytes / ((self.weight_bytes or 0) + (self.live_bytes or 0) + (self.nbytes or 0))

    def timed(self, timing: Timing, ours_us: float | None) -> VoxelRow:
        """With a timing, compared with ours in the same block."""
        return replace(
            self,
            median_us=timing.median_us,
            q1_us=timing.q1_us,
            q3_us=timing.q3_us,
            spread=timing.spread,
            samples=timing.samples,
            dirty=timing.dirty,
            ours_us=ours_us,
            ratio=None if ours_us is None else timing.median_us / ours_us,
        )

    def on(self, machine: Machine) -> VoxelRow:
        """With the fields of a machine and the time of day."""
        return replace(
            self,
            peak_gflops=machine.peak_gflops,
            device=machine.device,
            cpu=machine.cpu,
            isa=machine.isa,
            threads=machine.threads,
            versions=machine.versions,
            build=machine.build,
            date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        )
