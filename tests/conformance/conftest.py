"""Kernels run once per instruction set that this CPU has; the summary names those it has not."""

from collections.abc import Iterator

import pytest

from tamis.kernels.cpu import force_isa, native


@pytest.fixture(params=native().isas_compiled())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param not in native().isas_supported():
        pytest.skip(f"this CPU has no {request.param}")
    force_isa(request.param)
    yield request.param
    force_isa("auto")
