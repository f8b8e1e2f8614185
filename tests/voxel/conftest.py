"""Real scans, where the machine has them."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tamis_data() -> Path:
    """The folder of real data; tests that need it skip where TAMIS_DATA is unset."""
    folder = os.environ.get("TAMIS_DATA")
    if not folder:
        pytest.skip("TAMIS_DATA is unset")
    return Path(folder)
