"""The seam for methods that change the weights that stay: a toy reconstruction, least squares on the kept weights."""

import copy

import pytest
import torch
from torch import nn

from tamis.pruning import METHODS, Method, NOfM, by_score, parse_pattern, prune, select
from tamis.pruning.scores import wanda


def refit(weight, statistics, pattern, sparsity):
    """Wanda's mask; then, per row, the kept weights that bring the outputs closest to the dense ones."""
    mask = select(wanda(weight, statistics.norms), pattern, sparsity, "row")
    gram = statistics.gram + 1e-3 * statistics.gram.diagonal().mean() * torch.eye(len(statistics.gram))
    new = torch.zeros_like(weight)
    for row, kept in enumerate(mask):
        target = gram[kept] @ weight[row]
        new[row, kept] = torch.linalg.solve(gram[kept][:, kept], target)
    return new, mask


REFIT = Method("refit", "gram", refit)


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(24, 32), nn.GELU(), nn.Linear(32, 16)).eval()


def inputs(seed=1):
    """Correlated columns, as real activations are; there a refit has something to gain."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(6, 24, generator=torch.Generator().manual_seed(9))
    return [
        torch.randn(64, 6, generator=generator) @ mixing + 0.1 * torch.randn(64, 24, generator=generator)
        for _ in range(4)
    ]


@pytest.mark.parametrize("pattern", ["unstructured", "4x1", "2:4"])
def test_a_refit_lowers_the_output_error_of_plain_masking(pattern):
    sparsity = None if ":" in pattern else 0.6
    dense, x = mlp(), torch.cat(inputs())
    lost = {}
    for method in (REFIT, "wanda"):
        model = copy.deepcopy(dense)
        report = prune(model, sparsity, pattern, method, calibration=inputs(), compare=None)
        difference = (model[0](x) - dense[0](x)).detach()  # the first layer: its inputs are the same in both
        lost[report.method] = float(difference.norm() / (x @ dense[0].weight.detach().T).norm())
        if method is REFIT:
            assert report.rows[0].output_error == pytest.approx(lost["refit"], rel=1e-3)
            assert report.rows[0].kept_score is None
            assert "refit: output error" in str(report)
    assert lost["refit"] < 0.5 * lost["wanda"]


def test_later_blocks_see_the_inputs_that_the_pruned_ones_make():
    """So the second layer makes up for a part of what the first has lost."""
    dense, x = mlp(), torch.cat(inputs())
    whole, apart = copy.deepcopy(dense), copy.deepcopy(dense)
    prune(whole, 0.6, method=REFIT, calibration=inputs())
    seen = []

    def noting(weight, statistics, pattern, sparsity):
        seen.append(statistics.gram.clone())
        return refit(weight, statistics, pattern, sparsity)

    prune(apart, 0.6, method=Method("noting", "gram", noting), calibration=inputs())
    hidden = apart[1](apart[0](x))
    torch.testing.assert_close(seen[1], (hidden.T @ hidden).detach(), rtol=1e-4, atol=1e-3)
    assert torch.equal(whole[2].weight, apart[2].weight)


def test_the_model_is_whole_again_if_a_later_block_fails():
    model = mlp()
    before = copy.deepcopy(model.state_dict())

    def failing(weight, statistics, pattern, sparsity):
        if weight.shape == (16, 32):
            raise ValueError("the matrix is singular")
        return refit(weight, statistics, pattern, sparsity)

    with pytest.raises(ValueError, match=r"2\.weight: the matrix is singular; nothing was pruned"):
        prune(model, 0.6, method=Method("failing", "gram", failing), calibration=inputs())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda w: (w, torch.ones(3, 3, dtype=torch.bool)), "expected both of"),
        (lambda w: (w, torch.ones_like(w)), "a bool mask"),
        (lambda w: (w + 1, torch.zeros_like(w, dtype=torch.bool)), "not zero where the mask is False"),
        (lambda w: (w * torch.nan, torch.ones_like(w, dtype=torch.bool)), "not finite"),
    ],
)
def test_what_a_method_returns_is_checked(answer, message):
    method = Method("careless", None, lambda weight, *_: answer(weight))
    with pytest.raises(ValueError, match=message):
        prune(mlp(), 0.5, method=method)


def test_a_method_without_needs_gets_no_statistics():
    got = []

    def first_columns(weight, statistics, pattern, sparsity):
        got.append((statistics, pattern, sparsity))
        mask = torch.arange(weight.shape[1]).expand(weight.shape) < (1 - sparsity) * weight.shape[1]
        return weight.masked_fill(~mask, 0), mask

    report = prune(mlp(), 0.5, "4x1", Method("first columns", None, first_columns))
    assert got == [(None, parse_pattern("4x1"), 0.5)] * 2
    assert report.sparsity == 0.5


def test_magnitude_and_wanda_are_methods():
    assert {name: method.needs for name, method in METHODS.items()} == {"magnitude": None, "wanda": "norms"}
    weight = torch.randn(8, 8)
    new, mask = METHODS["magnitude"].prune_layer(weight, None, NOfM(2, 4), 0.5)
    assert torch.equal(new, weight * mask)
    assert (mask.reshape(-1, 4).sum(1) == 2).all()
    assert by_score(METHODS["wanda"].score, "layer").score.compare == "layer"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs calibration="),
        ({"calibration": [], "compare": "row"}, "ranks no weights"),
        ({"calibration": [], "allocation": "global"}, "ranks no weights"),
        ({"calibration": []}, "is the iterable empty"),
        ({"calibration": [torch.full((1, 24), torch.nan)]}, "NaN in the calibration inputs"),
    ],
)
def test_contradictions_are_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        prune(mlp(), 0.5, method=REFIT, **arguments)


def test_an_unknown_need_is_an_error():
    with pytest.raises(ValueError, match="expected None, 'norms' or 'gram'"):
        prune(mlp(), 0.5, method=Method("odd", "hessian", refit))
