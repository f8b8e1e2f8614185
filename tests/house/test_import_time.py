"""What happens, and what does not, when tamis is imported."""

import os
import subprocess
import sys


def run(code: str) -> str:
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_import_is_light_and_leaves_torch_alone() -> None:
    """Time is asserted nowhere else; here the bound is a promise, and a share of what torch takes, so that a busy machine changes nothing."""
    code = """
import time, sys
start = time.process_time()
import torch
of_torch = time.process_time() - start
threads, start, before = torch.get_num_threads(), time.process_time(), set(sys.modules)
import tamis
spent = time.process_time() - start
heavy = {"scipy", "transformers", "numba", "matplotlib", "pandas", "typer", "lightning_fabric", "pydantic", "filelock", "jinja2"} & (set(sys.modules) - before)
print(spent < of_torch / 4, torch.get_num_threads() == threads, *sorted(heavy))
"""
    assert run(code) == "True True"


def test_ops_import_nothing_beyond_torch_and_numpy() -> None:
    """Whatever stands below the operators (formats, tuning, report, storage) imports its other libraries where it uses them."""
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


def test_importing_any_module_reads_no_environment_and_loads_no_kernels() -> None:
    """No environment read, no device query, no file but sources, no native kernels, no change of threads, in any module of tamis."""
    code = """
import importlib, importlib.util, os, pkgutil, sys
import torch, numpy

HOMES = tuple(home + os.sep for home in importlib.util.find_spec("tamis").submodule_search_locations)  # two if editable

def by_tamis():
    frame = sys._getframe(2)
    while frame and "importlib" not in frame.f_code.co_filename:
        if frame.f_code.co_filename.startswith(HOMES): return frame.f_code.co_filename
        if "site-packages" in frame.f_code.co_filename: return None
        frame = frame.f_back

found = []
class Watched(dict):
    def __getitem__(self, key): return self.note(key) or super().__getitem__(key)
    def get(self, key, default=None): return self.note(key) or super().get(key, default)
    def __contains__(self, key): return self.note(key) or super().__contains__(key)
    def note(self, key):
        if where := by_tamis(): found.append(f"{where} reads ${key}")
os.environ = Watched(os.environ)
os.getenv = os.environ.get

def hook(event, arguments):
    if event in {"open", "subprocess.Popen", "os.listdir", "os.scandir", "socket.connect"}:
        where = by_tamis()
        if where and not str(arguments[0]).endswith((".py", ".pyc")): found.append(f"{where}: {event} {arguments[0]}")
sys.addaudithook(hook)

for name in ("set_num_threads", "get_num_threads", "set_num_interop_threads"):
    setattr(torch, name, lambda *a, name=name: found.append(f"torch.{name}") or 1)
for name in ("is_available", "device_count", "current_device", "get_device_name"):
    setattr(torch.cuda, name, lambda *a, name=name: found.append(f"torch.cuda.{name}") if by_tamis() else False)

import tamis
for module in pkgutil.walk_packages(tamis.__path__, "tamis."):
    if module.name.split(".")[-1] in ("_cpu", "__main__"): continue
    try: importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        if error.name.startswith("tamis"): raise
print(*found, "tamis._cpu" in sys.modules, sep="\\n")
"""
    assert run(code) == "False"
