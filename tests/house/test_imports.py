"""The import rules of ARCHITECTURE.md, held by walking the source."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "tamis"

GROUND = {"storage"}  # every room may import these
# room -> rooms of tamis it may import besides
MAY_IMPORT: dict[str, set[str]] = {
    "storage": set(),
    "formats": set(),
    "kernels": set(),
    "tuning": {"formats"},
    "pretrained": set(),
    "inspect": set(),
    "ops": {"formats", "kernels", "tuning"},
    "nn": {"ops", "formats"},
    "training": set(),
    "pruning": {"inspect", "training"},
    "models": {"nn", "ops", "formats", "pruning", "inspect", "tuning"},
    "voxel": {"ops", "formats", "training", "inspect"},
    "emotion": {"training", "pretrained", ""},
    "workloads": {"formats", "inspect"},
}
PUBLIC_ONLY = {"bench", "cli", "tour"}  # may import everything; nothing imports them but each other


def room_of(path: Path) -> str:
    inside = path.relative_to(SOURCE).parts
    return inside[0] if len(inside) > 1 else ""


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [
                f"{node.module}.{alias.name}" if node.module == "tamis" else node.module
                for alias in node.names
            ]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "tamis":
                rooms.add(parts[1] if len(parts) > 1 and (SOURCE / parts[1]).is_dir() else "")
    return rooms


FILES = sorted(SOURCE.rglob("*.py"))


def test_every_room_has_a_rule() -> None:
    assert {room_of(f) for f in FILES} - {""} == MAY_IMPORT.keys() | PUBLIC_ONLY


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_room_imports_only_what_it_may(room: str) -> None:
    wrong = {
        f"{path.relative_to(SOURCE)} imports {other or 'the public names'}"
        for path in FILES
        if room_of(path) == room
        for other in imported_rooms(path) - {room} - MAY_IMPORT[room] - GROUND
    }
    assert not wrong


def test_no_drawers() -> None:
    assert not [
        f for f in FILES if f.stem in {"utils", "util", "helpers", "helper", "common", "misc", "base", "core"}
    ]


def run(code: str) -> str:
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_import_is_light_and_leaves_torch_alone() -> None:
    """Time is asserted nowhere else; here the bound is a promise of the issue, with a margin for a loaded machine."""
    code = """
import torch, time, sys
threads, start, before = torch.get_num_threads(), time.process_time(), set(sys.modules)
import tamis
spent = time.process_time() - start
heavy = {"scipy", "transformers", "numba", "matplotlib", "pandas", "typer", "lightning_fabric", "pydantic", "filelock", "jinja2"} & (set(sys.modules) - before)
print(spent < 0.3, torch.get_num_threads() == threads, *sorted(heavy))
"""
    assert run(code) == "True True"


def test_ops_import_nothing_beyond_torch_and_numpy() -> None:
    """Whatever stands below the operators (formats, tuning, storage) imports its other libraries where it uses them."""
    code = """
import sys, numpy, torch
before = set(sys.modules)
import tamis.ops
top = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(top - sys.stdlib_module_names - {"tamis"}))
"""
    assert run(code) == ""


def test_using_every_part_leaves_the_thread_count_alone() -> None:
    code = """
import torch
torch.set_num_threads(1)
import tamis
a, x = tamis.CSR.from_dense(torch.randn(64, 64)), torch.randn(8, 64)
tamis.linear(x, a); tamis.spmm(a, x.T.contiguous()); tamis.plan_spmm(a, 9).explain()
model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8))
tamis.prune(model, sparsity=0.9); tamis.sparsify(model, example_inputs=(x,)); model(x)
from tamis import voxel
import tamis.voxel.scenes
from tamis.ops.spmm import measure_candidates
measure_candidates(a, 8, budget_s=0.01)
print(torch.get_num_threads())
"""
    assert run(code) == "1"
