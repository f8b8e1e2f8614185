"""A small campaign, always the same: as many cases of each target as take a second or two."""

import pytest

from .campaign import targets
from .judge import Target, judge

CASES = 60


@pytest.mark.filterwarnings("error:Casting complex values")
@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_hostile_input_is_refused_or_read_right(target: Target) -> None:
    faults = {case: fault for case in range(CASES) if (fault := judge(target, seed=0, case=case))}
    assert not faults, f"python -m tests.fuzz --seed 0 --target {target.name} --case {min(faults)}"
