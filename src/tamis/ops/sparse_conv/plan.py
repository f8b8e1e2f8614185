"""Which kernel runs a sparse convolution over a kernel map, why, and the pair lists as it reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch

from tamis.kernels import PairLists
from tamis.kernels.cpu import isa
from tamis.ops.choice import Candidate, Choice, choose
from tamis.ops.kernel_map import KernelMap
from tamis.ops.observed import unobserved
from tamis.ops.sparse_conv.cost import ConvProblem
from tamis.ops.sparse_conv.kernels import DATAFLOWS, KERNELS, dataflow_of
from tamis.tuning import machine_for

Dataflow = Literal["output_stationary", "weight_stationary", "hybrid", "blocked"]


@dataclass(frozen=True, eq=False)
class ConvPlan:
    """How one layer's convolution over one kernel map is executed; made by :func:`plan_conv`.

    Attributes
    ----------
    problem : ConvProblem
        What the choice was made for.
    choice : Choice
        The chosen kernel, the reason, and all candidates.
    pairs : PairLists
        The map as the kernel reads it.
    """

    problem: ConvProblem = field(repr=False)
    choice: Choice[ConvProblem] = field(repr=False)
    pairs: PairLists = field(repr=False)

    @property
    def kernel(self) -> str:
        """Backend and name, e.g. ``"cpu/sparse_conv_blocked"``."""
        return self.choice.kernel.name

    @property
    def reason(self) -> str:
        """Who decided: the caller, or the cost model and where its prices come from."""
        return self.choice.reason

    @property
    def times_us(self) -> dict[str, float]:
        """Predicted time of every dataflow that takes this dtype here, chosen or not."""
        able = [kernel for kernel in KERNELS if kernel.refusal(self.problem) is None]
        return {dataflow_of(kernel.name): kernel.time_us(self.problem) for kernel in able}

    def explain(self) -> str:
        """Return every candidate with its predicted time, and why it was not taken."""
        shares = " ".join(f"{share:.2f}" for share in self.problem.density_by_l1().values())
        lines = [
            f"sparse_conv over {self.problem!r}, {self.problem.threads} threads: {self.kernel} ({self.reason})",
            f"  density by L1 distance: {shares}",
        ]
        for candidate in self.choice.candidates:
            time_us = self.times_us.get(dataflow_of(candidate.kernel))
            described = Candidate(candidate.kernel, time_us) if time_us is not None else candidate
            note = f"; not taken: {candidate.refusal}" if time_us is not None and candidate.refusal else ""
            lines.append(described.describe(self.kernel) + note)
        return "\n".join(lines)

    def summary(self) -> str:
        """The same in one line, for tables of many layers."""
        shares = " ".join(f"{share:.2f}" for share in self.problem.density_by_l1().values())
        times = ", ".join(f"{name} {time_us / 1000:.2f}" for name, time_us in self.times_us.items())
        runs = f"runs {dataflow_of(self.kernel)} ({self.reason})"
        return f"{self.problem.pairs} pairs, density by L1 {shares}; {runs}; predicted ms: {times}"


def plan_conv(
    kernel_map: KernelMap,
    c_in: int,
    c_out: int,
    *,
    groups: int = 1,
    dtype: torch.dtype = torch.float32,
    dataflow: Dataflow | None = None,
) -> ConvPlan:
    """Choose a kernel for a layer over ``kernel_map``, and prepare the pair lists for it.

    Parameters
    ----------
    kernel_map : KernelMap
    c_in, c_out, groups : int
        Channels of all groups.
    dtype : torch.dtype
        Of the features.
    dataflow : optional
        One of DATAFLOWS, whatever the prediction; by default the cost model chooses among the kernels whose sums depend on
        nothing but an output's own neighbours (on CPUs that is the blocked one; the others are reference code).

    Raises
    ------
    ValueError            if the dataflow is unknown.
    NotImplementedError   if no kernel serves device and dtype; the message lists each and its reason.
    """
    call = "sparse_conv(feats, weight, kernel_map)"
    if dataflow is not None and dataflow not in DATAFLOWS:
        raise ValueError(f"sparse_conv(dataflow={dataflow!r}): expected one of {', '.join(DATAFLOWS)}.")
    threads = torch.get_num_threads()
    machine = machine_for(isa(), threads)
    problem = ConvProblem.of(kernel_map, c_in, c_out, groups, dtype, machine, threads)
    wanted = next((kernel.name for kernel in KERNELS if dataflow_of(kernel.name) == dataflow), None)
    choice = choose(call, KERNELS, problem, wanted)
    with unobserved():
        kernel_map.check()  # kernels follow the pairs by address, and a caller may have written into them
        return ConvPlan(problem, choice, choice.kernel.pack(problem, kernel_map))


def kept_plan(
    kernel_map: KernelMap,
    c_in: int,
    c_out: int,
    groups: int = 1,
    dtype: torch.dtype = torch.float32,
    dataflow: Dataflow | None = None,
) -> ConvPlan:
    """The plan kept on the map, which serves every dtype that its kernel takes; else a new one, kept from now on."""
    key = (dataflow, int(c_in), int(c_out), groups)
    kept: ConvPlan | None = kernel_map.plans.get(key)
    if kept is None or dtype not in kept.choice.kernel.dtypes:
        kept = plan_conv(kernel_map, c_in, c_out, groups=groups, dtype=dtype, dataflow=dataflow)
        kernel_map.plans[key] = kept
    return kept
