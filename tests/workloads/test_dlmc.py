"""Generated matrices: the same for a seed, exactly as sparse as asked, uneven as trained ones."""

import pytest
import torch

from tamis.workloads.dlmc import PATTERNS, SPARSITIES, Spec, cut, generate, unit_shape, weights
from tamis.workloads.manifest import describe


@pytest.mark.parametrize("sparsity", SPARSITIES)
def test_unstructured_is_exactly_as_sparse_as_asked(sparsity):
    weight = generate(Spec(64, 128, sparsity))
    assert int((weight != 0).sum()) == round(64 * 128 * (1 - sparsity))
    assert weight.dtype == torch.float32


@pytest.mark.parametrize("pattern", [p for p in PATTERNS if "x" in p])
def test_blocks_are_whole(pattern):
    found = describe(generate(Spec(256, 256, 0.75, pattern)))
    assert getattr(found, f"fill_{pattern}") == 1.0
    assert found.sparsity == pytest.approx(0.75)


def test_two_of_four_keeps_the_larger_two():
    spec = Spec(16, 32, 0.5, "2:4")
    dense, sparse = weights(spec).reshape(-1, 4), generate(spec).reshape(-1, 4)
    assert ((sparse != 0).sum(1) == 2).all()
    kept = torch.where(sparse != 0, dense.abs(), torch.inf).min(1).values
    dropped = torch.where(sparse == 0, dense.abs(), 0).max(1).values
    assert (kept >= dropped).all()


def test_kept_weights_are_untouched_and_largest():
    spec = Spec(64, 64, 0.8)
    dense, sparse = weights(spec), generate(spec)
    assert torch.equal(sparse[sparse != 0], dense[sparse != 0])
    assert sparse[sparse != 0].abs().min() >= dense[sparse == 0].abs().max()


def test_ties_do_not_change_the_count():
    assert int((cut(torch.ones(8, 8), 0.75, "unstructured") != 0).sum()) == 16


def test_sparsities_of_a_seed_are_nested():
    loose, tight = (generate(Spec(128, 64, sparsity)) != 0 for sparsity in (0.5, 0.9))
    assert (tight <= loose).all()


def test_rows_are_uneven_like_trained_ones():
    cov = describe(generate(Spec(512, 512, 0.9))).row_cov
    random_cov = (0.9 / (0.1 * 512)) ** 0.5
    assert 1.5 * random_cov < cov < 0.8


@pytest.mark.parametrize("pattern", ["unstructured", "4x1", "16x16"])
def test_variational_family_has_empty_rows_and_columns(pattern):
    weight = generate(Spec(512, 512, 0.8, pattern, "variational"))
    rows, _ = unit_shape(pattern)
    empty = int((weight == 0).all(1).sum())
    assert empty >= int(0.1 * (512 // rows)) * rows
    assert empty % rows == 0
    assert int((weight == 0).all(0).sum()) >= 51
    assert describe(generate(Spec(512, 512, 0.8, pattern))).empty_rows < empty


def test_known_values_of_a_seed():
    """A seed means the same matrix in every version: these values were printed once and must not move."""
    weight = generate(Spec(32, 32, 0.9, seed=3))
    rows, cols = weight.nonzero(as_tuple=True)
    assert (len(rows), int(rows.sum()), int(cols.sum())) == (102, 1691, 1323)
    assert float(weight.double().sum()) == pytest.approx(-14.3411224, rel=1e-5)


def test_seeds_and_shapes_differ():
    assert not torch.equal(generate(Spec(32, 32, 0.5, seed=0)), generate(Spec(32, 32, 0.5, seed=1)))
    assert not torch.equal(weights(Spec(32, 64, 0.5)).flatten(), weights(Spec(64, 32, 0.5)).flatten())


def test_does_not_touch_the_global_generator():
    before = torch.random.get_rng_state()
    generate(Spec(32, 32, 0.5))
    assert torch.equal(before, torch.random.get_rng_state())


def test_names_are_unique_and_file_safe():
    specs = [
        Spec(64, 64, 0.5, pattern, family) for pattern in PATTERNS for family in ("magnitude", "variational")
    ]
    names = {spec.name for spec in specs}
    assert len(names) == len(specs)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.") for name in names)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4, 0.5), "m, k >= 1"),
        ((4, 4, 1.0), "sparsity < 1"),
        ((4, 4, float("nan")), "sparsity < 1"),
        ((6, 4, 0.5, "4x1"), "does not divide"),
        ((4, 4, 0.5, "diagonal"), "expected 'unstructured'"),
        ((4, 4, 0.5, "4:2"), "expected 'unstructured'"),
        ((4, 4, 0.9, "2:4"), "has sparsity 0.5"),
        ((4, 4, 0.5, "unstructured", "l0"), "family"),
    ],
)
def test_bad_specs_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        Spec(*arguments)
