"""Where `tamis tune` keeps what it measured: one JSON file per device, ISA, threads and library version."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import platform
from pathlib import Path

import torch

from tamis.storage import read_json, read_record, write_text
from tamis.tuning.machines import SHIPPED, Machine

FOLDER_VARIABLE = "TAMIS_TUNING"


def folder() -> Path:
    """The folder named by ``TAMIS_TUNING``, else ``~/.cache/tamis/tuning``."""
    named = os.environ.get(FOLDER_VARIABLE)
    return (
        Path(named)
        if named
        else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tamis" / "tuning"
    )


@functools.cache
def device_name() -> str:
    """The CPU's own name, as far as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux: the portable name below
    return platform.processor() or platform.machine()


def path_for(isa: str, threads: int) -> Path:
    """The file for this device, with everything its figures depend on in its name."""
    words = f"{device_name()}-{isa}-{threads}threads-float32-torch{torch.__version__}"
    return folder() / ("".join(c if c.isalnum() or c in ".-" else "_" for c in words) + ".json")


def save_machine(machine: Machine, isa: str, threads: int) -> Path:
    """Write a machine, whole or not at all."""
    path = path_for(isa, threads)
    write_text(path, json.dumps(dataclasses.asdict(machine), indent=1))
    _load.cache_clear()
    return path


def forget_machine(isa: str, threads: int) -> None:
    """Remove what is stored for this device, damaged or not; shipped constants serve until the next tuning is kept."""
    path_for(isa, threads).unlink(missing_ok=True)
    _load.cache_clear()


def machine_for(isa: str, threads: int) -> Machine:
    """Return the tuned constants of this device, ISA and number of threads, or the shipped ones of the ISA.

    The store is read once per process; a tuning of the same process is seen.

    Raises
    ------
    ValueError
        If the stored file is damaged or of another version; it names the file and the cure.
    """
    return _load(isa, threads, os.environ.get(FOLDER_VARIABLE)) or SHIPPED[isa]


@functools.cache
def _load(isa: str, threads: int, folder_name: str | None) -> Machine | None:
    return load_machine(isa, threads)


def load_machine(isa: str, threads: int) -> Machine | None:
    """Read the machine stored for this device, or None if there is none.

    Raises
    ------
    ValueError
        If the file is damaged or of another version; it names the file and the cure.
    """
    path = path_for(isa, threads)
    if not path.exists():
        return None
    try:
        return read_record(Machine, read_json(path), path.name)
    except ValueError as error:
        raise ValueError(
            f"the tuning file {path} is damaged or old ({error}); delete it or run `tamis tune` again."
        ) from error
