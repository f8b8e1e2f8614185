"""How every op chooses: one record per kernel, a prediction for each, a choice that can be read, and its explanation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch

from tamis.tuning import Machine, Work


class Problem(Protocol):
    """What a kernel is asked to do: operands, sizes, machine. Each op has a record of its own."""

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def machine(self) -> Machine: ...


P = TypeVar("P", bound=Problem)


@dataclass(frozen=True)
class Kernel(Generic[P]):
    """All there is to know of a kernel. An op lists its kernels in one tuple; nothing registers itself.

    Attributes
    ----------
    name : str
        Backend and name, ``"cpu/spmm_csr"``: also the name of its C++ function, test and benchmark row.
    dtypes : tuple of torch.dtype
        Of the numbers it reads.
    refuses : problem -> why the kernel cannot serve it, or None
    pack : (problem, ...) -> what the kernel runs on; opaque to everybody but ``call``
    packed : type
        Of what ``pack`` makes: ``from_tensors(tensors, sizes)`` builds it again from its ``tensors`` and ``sizes``, which is
        how it passes through an operator.
    work : problem -> the expected work of a call
    prices : instruction set (or device) -> kind of work -> nanoseconds
        Measured by ``tamis tune``; used where this device was not tuned.
    call : runs the kernel; the op says with which operands
    """

    name: str
    dtypes: tuple[torch.dtype, ...]
    refuses: Callable[[P], str | None]
    pack: Callable[..., Any]
    packed: type[Any]
    work: Callable[[P], Work]
    prices: Mapping[str, Mapping[str, float]]
    call: Callable[..., Any]

    @property
    def backend(self) -> str:
        return self.name.partition("/")[0]

    def refusal(self, problem: P) -> str | None:
        """Why the kernel cannot serve, device and dtype included, or None."""
        device = DEVICES[self.backend]
        if device is not None and problem.device.type != device:
            return f"operands are on {problem.device}, not on {device!r}"
        if problem.dtype not in self.dtypes:
            return f"values are {str(problem.dtype).removeprefix('torch.')}; it takes {_names(self.dtypes)}"
        return self.refuses(problem)

    def time_us(self, problem: P) -> float:
        """Predicted time of a call, microseconds."""
        machine = problem.machine
        return machine.time_us(
            machine.kernels.get(self.name) or self.prices[machine.name], self.work(problem)
        )


DEVICES = {"cpu": "cpu", "triton": "cuda", "reference": None}  # None: any


@dataclass(frozen=True)
class Candidate:
    """One kernel that was looked at: its predicted time in microseconds, or why it cannot serve."""

    kernel: str
    time_us: float | None = None
    refusal: str | None = None

    def describe(self, chosen: str = "") -> str:
        if self.time_us is None:
            return f"  {self.kernel:<16} cannot serve: {self.refusal}"
        mark = "  <- chosen" if self.kernel == chosen else ""
        return f"  {self.kernel:<16} {time_text(self.time_us)} predicted{mark}"


@dataclass(frozen=True)
class Choice(Generic[P]):
    """The chosen kernel, its predicted time in microseconds, who decided, and all that were looked at."""

    kernel: Kernel[P]
    time_us: float
    reason: str
    candidates: tuple[Candidate, ...]


def choose(call: str, kernels: Sequence[Kernel[P]], problem: P, wanted: str | None = None) -> Choice[P]:
    """Take the kernel that the caller wants, else the one that is predicted to be fastest on this machine.

    Parameters
    ----------
    call : str
        The user's call, as errors begin.
    kernels : the op's table
    problem : what is asked of the kernel; its ``repr`` is what errors say
    wanted : str, optional
        A kernel's name. Only so is reference code ever taken.

    Raises
    ------
    ValueError            if there is no kernel of that name.
    NotImplementedError   if no kernel can serve; the message lists each and its reason.
    """
    candidates = tuple(_consider(kernel, problem, wanted) for kernel in kernels)
    able = [(c.time_us, k) for c, k in zip(candidates, kernels, strict=True) if c.time_us is not None]
    if wanted is not None:
        candidate = next((c for c in candidates if c.kernel == wanted), None)
        if candidate is None:
            names = ", ".join(c.kernel for c in candidates)
            raise ValueError(f"{call}: there is no kernel {wanted!r}; there are {names}.")
        if candidate.time_us is None:
            raise NotImplementedError(f"{call}: {wanted} cannot serve {problem!r}: {candidate.refusal}.")
        able, reason = [(t, k) for t, k in able if k.name == wanted], "chosen by the caller"
    elif not able:
        reasons = "\n".join(c.describe() for c in candidates)
        raise NotImplementedError(f"{call}: no kernel can serve {problem!r}:\n{reasons}")
    else:
        reason = f"cost model, {problem.machine.source}"
    time_us, kernel = min(able, key=lambda pair: pair[0])
    return Choice(kernel, time_us, reason, candidates)


def time_text(us: float) -> str:
    return f"{us:9.1f} us" if us < 10_000 else f"{us / 1000:9.2f} ms"


def takes_any(problem: Problem) -> None:
    """For ``Kernel.refuses``: device and dtype are all that matters."""
    return None


def _consider(kernel: Kernel[P], problem: P, wanted: str | None) -> Candidate:
    if refusal := kernel.refusal(problem):
        return Candidate(kernel.name, refusal=refusal)
    if kernel.backend == "reference" and wanted is None:
        return Candidate(kernel.name, refusal="reference code: it runs where it is named")
    return Candidate(kernel.name, kernel.time_us(problem))


def _names(dtypes: Sequence[torch.dtype]) -> str:
    return ", ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
