"""What ``torch.autocast`` asks of an operator: torch's own obey before they reach a kernel, ours have to ask."""

from __future__ import annotations

import torch

# Operands of these dtypes come in autocast's instead; float64 it leaves alone.
AUTOCAST = (torch.float32, torch.bfloat16, torch.float16)
