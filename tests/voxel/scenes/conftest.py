"""Neighbourhood statistics by plain NumPy: the oracle that generated scenes are held against."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def density_profile():
    def density_profile(points, voxel_size_m):
        """Voxels, and the mean share of voxels with a neighbour at L1 distance 1, 2, 3: plain NumPy, the oracle."""
        cells = np.unique(np.floor(points / np.asarray(voxel_size_m)).astype(np.int64), axis=0)
        weights = np.array([2**40, 2**20, 1])
        keys = np.sort((cells + 2**15) @ weights)
        shares = {1: [], 2: [], 3: []}
        for offset in np.ndindex(3, 3, 3):
            step = np.array(offset) - 1
            if step.any():
                wanted = keys + step @ weights
                found = keys[np.searchsorted(keys, wanted).clip(max=len(keys) - 1)]
                shares[int(np.abs(step).sum())].append((found == wanted).mean())
        return len(cells), [float(np.mean(shares[distance])) for distance in (1, 2, 3)]

    return density_profile
