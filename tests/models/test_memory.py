"""What a sparse model and its making cost in memory, as the operating system counts it."""

import subprocess
import sys

import pytest

LAYERS, SIZE = 16, 1536
WEIGHT = 4 * SIZE**2

PROGRAM = f"""
import re
from pathlib import Path
import torch
from torch import nn
import tamis

def status(name):
    return 1024 * int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

def one_layer():
    layer = nn.Linear({SIZE}, {SIZE}, bias=False)
    layer.weight.data.masked_fill_(torch.rand({SIZE}, {SIZE}) < 0.8, 0.0)
    return layer

torch.manual_seed(0)
torch.set_num_threads(1)
x = torch.randn(16, {SIZE})
warm = nn.Sequential(one_layer())
warm(x), tamis.sparsify(warm, x, times="predicted", replace="everywhere")  # code and pools of the first call
before = status("VmRSS")
model = nn.Sequential(*[one_layer() for _ in range({LAYERS})]).eval()
dense = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
tamis.sparsify(model, x, times="predicted", replace="everywhere")
print(dense - before, status("VmHWM") - dense, status("VmRSS") - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self")
def test_sparsify_needs_little_more_than_a_layer_and_leaves_less_than_dense() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    dense, above_dense, sparse = map(int, done.stdout.split())
    assert dense > 0.9 * LAYERS * WEIGHT
    assert above_dense < 4 * WEIGHT
    assert sparse < 0.6 * dense
