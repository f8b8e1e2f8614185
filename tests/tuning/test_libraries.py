"""What is loaded into this process."""

import pytest
import torch

from tamis.tuning import loaded_libraries, openmp_runtimes


def test_torchs_runtime_is_found():
    if not loaded_libraries():
        pytest.skip("this system does not tell")
    assert torch.get_num_threads() > 0
    assert any("libtorch" in path for path in loaded_libraries())
    assert openmp_runtimes()
    assert set(openmp_runtimes()) <= set(loaded_libraries())
