"""What every suite's measurements have in common: the record, its CSV, the machine, the gate, time blocks, energy."""

from tamis.bench.measurement import csv_rows
from tamis.bench.measurement.blocks import Entrant, Pool, Timed, time_blocks
from tamis.bench.measurement.energy import joules_per_call
from tamis.bench.measurement.gate import Unavailable, relative_error, rounding_bound
from tamis.bench.measurement.machine import Machine, this_machine
from tamis.bench.measurement.row import Measured

__all__ = [
    "Entrant",
    "Machine",
    "Measured",
    "Pool",
    "Timed",
    "Unavailable",
    "csv_rows",
    "joules_per_call",
    "relative_error",
    "rounding_bound",
    "this_machine",
    "time_blocks",
]
