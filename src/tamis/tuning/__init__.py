"""What a call costs on this machine: the timer, the machine's constants and the store that `tamis tune` writes."""

from tamis.tuning.fit import Cell, fit_prices
from tamis.tuning.libraries import loaded_libraries, openmp_runtimes
from tamis.tuning.machines import SHIPPED, Machine, Prices, Work
from tamis.tuning.store import device_name, forget_machine, machine_for, path_for, save_machine
from tamis.tuning.threads import threads_set
from tamis.tuning.timer import Call, Timing, time_interleaved

__all__ = [
    "SHIPPED",
    "Call",
    "Cell",
    "Machine",
    "Prices",
    "Timing",
    "Work",
    "device_name",
    "fit_prices",
    "forget_machine",
    "loaded_libraries",
    "machine_for",
    "openmp_runtimes",
    "path_for",
    "save_machine",
    "threads_set",
    "time_interleaved",
]
