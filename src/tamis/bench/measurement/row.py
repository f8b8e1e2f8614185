"""The record of a measurement: what the rows of every suite have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from tamis.bench.measurement.machine import Machine
from tamis.tuning import Timing


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one contestant did on one cell. Empty in the CSV = None = unknown or not applicable.

    The row of a suite extends it by what describes the suite's cells.

    Attributes
    ----------
    section, cell : str
        The question asked, and what was computed.
    contestant : str
    status : str
        "ok"; "refused" (wrong result, not timed), "unavailable" or "failed", with the reason in ``note``.
    detail : str
        The kernel chosen and why, or the peer's version and pool.
    median_us, q1_us, q3_us, spread, samples, dirty
        See :class:`tamis.tuning.timer.Timing`.
    gflops, peak_gflops : float
        Useful operations per nanosecond; the machine's FMA peak at this thread count.
    max_error, tolerance : float
        Largest error relative to the sums of absolute values (of products that are rounded on purpose, their distance from the
        exact one), and the bound it had to keep.
    device, cpu, isa, dtype, threads, versions, build, date
        Where and with what it ran. ``build`` fingerprints the code of the kernels and of their choice.
    """

    section: str
    cell: str
    contestant: str
    status: str = "ok"
    detail: str = ""
    note: str = ""
    median_us: float | None = None
    q1_us: float | None = None
    q3_us: float | None = None
    spread: float | None = None
    samples: int | None = None
    dirty: float | None = None
    gflops: float | None = None
    peak_gflops: float | None = None
    max_error: float | None = None
    tolerance: float | None = None
    device: str = ""
    cpu: str = ""
    isa: str = ""
    dtype: str = "float32"
    threads: int = 0
    versions: str = ""
    build: str = ""
    date: str = ""

    def with_timing(self, timing: Timing) -> Self:
        """The row with the fields of a timing."""
        return replace(
            self,
            median_us=timing.median_us,
            q1_us=timing.q1_us,
            q3_us=timing.q3_us,
            spread=timing.spread,
            samples=timing.samples,
            dirty=timing.dirty,
        )

    def on(self, machine: Machine) -> Self:
        """The row with the fields of a machine and the time of day."""
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
