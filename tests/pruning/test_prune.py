import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils import prune as torch_prune

from tamis.pruning import Blocks, NOfM, Score, apply_masks, prune

PATTERNS = ["unstructured", "4x1", "8x1", "16x1", "1x4", "16x16", "32x32"]


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 32))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("sparsity", [0.0, 0.37, 0.8, 1.0])
@pytest.mark.parametrize("compare", ["row", "layer", "model"])
def test_the_target_is_met_to_within_one_unit_and_the_rest_is_untouched(pattern, sparsity, compare):
    model = mlp()
    before = copy.deepcopy(model)
    report = prune(model, sparsity, pattern, compare=compare)
    unit = math.prod(map(int, pattern.split("x"))) if pattern != "unstructured" else 1
    layers = [(model[0], before[0]), (model[2], before[2])]
    if compare == "model":
        zeros = sum(int((new.weight == 0).sum()) for new, _ in layers)
        assert abs(zeros - sparsity * (64 * 96 + 96 * 32)) <= unit
    for index, (new, old) in zip(("0", "2"), layers, strict=True):
        mask = report.masks[f"{index}.weight"]
        assert mask.dtype == torch.bool
        assert torch.equal(new.weight, old.weight * mask)
        assert torch.equal(new.bias, old.bias)
        if compare == "layer":
            assert abs(int((~mask).sum()) - sparsity * mask.numel()) <= unit


def test_unstructured_magnitude_keeps_exactly_the_largest():
    model = mlp()
    weight = model[0].weight.detach().clone()
    prune(model, 0.8, where="0")
    kept = model[0].weight != 0
    assert weight[kept].abs().min() > weight[~kept].abs().max()
    assert int(kept.sum()) == 64 * 96 - round(0.8 * 64 * 96)


def test_blocks_live_and_die_together_by_their_l1_norm():
    model = nn.Sequential(nn.Linear(2, 4, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[3.0, 1], [0.1, 1], [0.1, 1], [0.1, 1]]))
    prune(model, 0.5, "4x1")
    assert model[0].weight.count_nonzero(0).tolist() == [0, 4]


@pytest.mark.parametrize(
    ("pattern", "n", "m"), [("2:4", 2, 4), ("1:4", 1, 4), ("4:8", 4, 8), ("3:16", 3, 16)]
)
def test_n_of_m_leaves_n_in_every_group(pattern, n, m):
    model = mlp()
    report = prune(model, pattern=pattern)
    for layer in (model[0], model[2]):
        assert ((layer.weight != 0).reshape(-1, m).sum(1) == n).all()
    assert report.sparsity == pytest.approx(1 - n / m)


def test_ties_are_resolved_the_same_way_every_time():
    model = nn.Sequential(nn.Linear(10, 10))
    nn.init.constant_(model[0].weight, -0.5)
    prune(model, 0.42)
    assert (model[0].weight.flatten() != 0).tolist() == [True] * 58 + [False] * 42


def test_one_threshold_for_the_model_takes_more_from_the_layer_with_small_weights():
    model = mlp()
    with torch.no_grad():
        model[0].weight.mul_(1e-3)
    before = torch.cat([model[i].weight.detach().abs().flatten() for i in (0, 2)])
    report = prune(model, 0.5, compare="model")
    kept = torch.cat([model[i].weight.detach().flatten() for i in (0, 2)]) != 0
    assert before[kept].min() >= before[~kept].max()
    assert report.rows[0].sparsity > 0.7 > 0.1 > report.rows[1].sparsity


def test_where_takes_names_and_predicates():
    for where in ("2", lambda name, module: module.out_features == 32):
        model = mlp()
        report = prune(model, 0.5, where=where)
        assert [row.left for row in report.rows] == ["not chosen by where=", None]
        assert model[0].weight.count_nonzero() == model[0].weight.numel()


def test_ignore_and_per_layer_take_names():
    model = nn.Sequential(*(nn.Linear(8, 8) for _ in range(4)))
    report = prune(model, 0.5, ignore=["3"], per_layer={"1": 0.75, "[12]": 0.25})
    assert [row.sparsity for row in report.rows] == [0.5, 0.75, 0.25, 0]
    assert report.rows[3].left == "left out by ignore="


def test_one_threshold_leaves_out_what_per_layer_names():
    model = nn.Sequential(*(nn.Linear(8, 8) for _ in range(3)))
    with torch.no_grad():
        model[0].weight.fill_(1.0)
        model[2].weight.fill_(2.0)
    report = prune(model, 0.5, allocation="global", per_layer={"1": 0.25})
    assert [row.sparsity for row in report.rows] == [1, 0.25, 0]


def test_allocation_global_is_what_compare_model_was():
    one, other = mlp(), mlp()
    prune(one, 0.6, compare="model")
    prune(other, 0.6, allocation="global")
    assert torch.equal(one[0].weight, other[0].weight)
    assert torch.equal(one[2].weight, other[2].weight)


def test_score_is_the_former_name_of_method():
    one, other = mlp(), mlp()
    x = [torch.rand(3, 64)]
    with pytest.warns(DeprecationWarning, match=r"score=.* is called method=") as caught:
        prune(one, 0.5, score="wanda", calibration=x)
    assert caught[0].filename == __file__
    prune(other, 0.5, method="wanda", calibration=x)
    assert torch.equal(one[0].weight, other[0].weight)
    with pytest.warns(DeprecationWarning, match="score="), pytest.raises(ValueError, match="give one"):
        prune(one, 0.5, method="wanda", score="wanda", calibration=x)


def test_without_a_method_calibration_decides():
    assert prune(mlp(), 0.5).method == "magnitude"
    assert prune(mlp(), 0.5, calibration=[torch.rand(3, 64)]).method == "wanda"


def test_layers_that_do_not_divide_are_left_with_the_reason():
    model = nn.Sequential(nn.Linear(8, 10), nn.Linear(10, 8))
    report = prune(model, 0.5, "4x1")
    assert report.rows[0].left == "10 rows do not divide into 4x1"
    assert report.rows[1].sparsity == 0.5
    assert "left: 10 rows do not divide into 4x1" in str(report)


def test_tied_layers_are_pruned_once():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8))
    model[1].weight = model[0].weight
    model[2].weight = nn.Parameter(model[0].weight.detach())
    report = prune(model, 0.5)
    assert [row.name for row in report.rows] == ["0"]
    assert report.rows[0].aliases == ("1.weight", "2.weight")
    assert int((model[2].weight == 0).sum()) == 32
    assert "also 1.weight, 2.weight" in str(report)


def test_a_module_used_twice_is_pruned_once():
    layer = nn.Linear(8, 8)
    report = prune(nn.Sequential(layer, nn.ReLU(), layer), 0.5)
    assert [(row.name, row.zeros) for row in report.rows] == [("0", 32)]


def test_a_weight_tied_to_an_embedding_is_left():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(10, 8)
            self.body = nn.Linear(8, 8)
            self.head = nn.Linear(8, 10, bias=False)
            self.head.weight = self.words.weight

    model = Tied()
    report = prune(model, 0.5)
    assert report.rows[1].left == "shares its memory with words.weight, which is no linear layer"
    assert (model.words.weight != 0).all()


def test_weights_that_are_computed_anew_are_left():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8))
    parametrizations.weight_norm(model[0])
    torch_prune.l1_unstructured(model[1], "weight", amount=0.3)
    report = prune(model, 0.5)
    assert "computes its weight anew in every forward" in report.rows[0].left
    assert "computes its weight anew in every forward" in report.rows[1].left
    assert report.rows[2].sparsity == 0.5


def test_attention_projections_are_pruned():
    report = prune(nn.ModuleDict({"attn": nn.MultiheadAttention(16, 2)}), 0.75)
    assert [(row.name, row.shape, row.sparsity) for row in report.rows] == [
        ("attn.in_proj_weight", (48, 16), 0.75),
        ("attn.out_proj", (16, 16), 0.75),
    ]
    report = prune(nn.MultiheadAttention(16, 2, kdim=8, vdim=8), 0.75)
    assert [row.name for row in report.rows] == [
        "q_proj_weight",
        "k_proj_weight",
        "v_proj_weight",
        "out_proj",
    ]


def test_a_lone_layer_is_a_model():
    layer = nn.Linear(8, 8)
    report = prune(layer, 0.5)
    assert int((layer.weight == 0).sum()) == 32
    assert "(the model)" in str(report)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_float_dtype_keeps_its_own(dtype):
    model = mlp().to(dtype)
    report = prune(model, 0.8, "4x1")
    assert model[0].weight.dtype == dtype
    assert report.sparsity == pytest.approx(0.8, abs=0.01)


def test_kept_score_is_the_share_of_magnitude_that_stays():
    model = nn.Sequential(nn.Linear(4, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert prune(model, 0.5).rows[0].kept_score == pytest.approx(0.7)


def test_wanda_weighs_by_the_inputs_within_each_row():
    model = nn.Sequential(nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 2.0], [30.0, 40.0]]))
    model.train()
    prune(model, 0.5, method="wanda", calibration=[torch.tensor([[3.0, 1.0]]), torch.tensor([[4.0, 0.5]])])
    assert model[0].weight.tolist() == [[1, 0], [30, 0]]
    assert model.training
    assert not model[0]._forward_pre_hooks


def test_wanda_leaves_what_the_calibration_never_called():
    model = nn.ModuleDict({"used": nn.Linear(4, 4), "idle": nn.Linear(4, 4)})
    model.forward = lambda x: model["used"](x)
    report = prune(
        model, pattern="2:4", method="wanda", calibration=[{"x": torch.rand(3, 4)}, (torch.rand(2, 4),)]
    )
    assert [row.left for row in report.rows] == [None, "calibration never called it"]


def test_a_score_of_ones_own():
    model = mlp()
    prune(
        model,
        0.5,
        method=Score("first columns", lambda weight, norms: -torch.arange(64.0).expand(weight.shape) + 64),
        where="0",
    )
    assert model[0].weight.count_nonzero(0).tolist() == [96] * 32 + [0] * 32


def test_masks_survive_training():
    model = mlp()
    masks = prune(model, 0.8).masks
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(3):
        model(torch.rand(4, 64)).sum().backward()
        optimizer.step()
        apply_masks(model, masks)
    assert (model[0].weight[~masks["0.weight"]] == 0).all()
    assert int((model[0].weight == 0).sum()) < 0.85 * 64 * 96


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs sparsity="),
        ({"sparsity": 80}, "between 0 and 1"),
        ({"sparsity": -0.1}, "between 0 and 1"),
        ({"sparsity": float("nan")}, "between 0 and 1"),
        ({"sparsity": 0.8, "pattern": "2:4"}, "always has sparsity 0.5"),
        ({"pattern": "2:4", "compare": "model"}, "N:M compares its own groups"),
        ({"sparsity": 0.8, "method": "magic"}, r"expected one of \['magnitude', 'wanda'\]"),
        ({"sparsity": 0.8, "method": "wanda"}, "needs calibration="),
        ({"sparsity": 0.8, "method": "magnitude", "calibration": [1]}, "leave calibration= out"),
        ({"sparsity": 0.8, "method": "wanda", "calibration": []}, "is the iterable empty"),
        ({"sparsity": 0.8, "compare": "rows"}, "expected 'row', 'layer' or 'model'"),
        ({"sparsity": 0.8, "where": "decoder.*"}, "chooses none of the model's 2 layers"),
        ({"sparsity": 0.8, "ignore": ["*"]}, "chooses none of the model's 2 layers"),
        ({"sparsity": 0.8, "ignore": ["head"]}, "'head' names none of the model's 2 layers"),
        ({"sparsity": 0.8, "per_layer": {"head": 0.5}}, "'head' names none of the model's 2 layers"),
        ({"sparsity": 0.8, "per_layer": {"0": 50}}, r"per_layer=.*between 0 and 1"),
        ({"pattern": "2:4", "per_layer": {"0": 0.8}}, "always has sparsity 0.5"),
        ({"sparsity": 0.8, "allocation": "erk"}, r"expected one of \['global', 'uniform'\]"),
        ({"pattern": "2:4", "allocation": "global"}, "N:M compares its own groups"),
    ],
)
def test_contradictions_are_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        prune(mlp(), **arguments)


def test_nan_weights_are_an_error_and_nothing_is_changed():
    model = mlp()
    with torch.no_grad():
        model[2].weight[3, 4] = torch.nan
    with pytest.raises(ValueError, match=r"2\.weight has NaN weights"):
        prune(model, 0.8)
    assert (model[0].weight != 0).all()


def test_nan_in_the_calibration_is_an_error():
    with pytest.raises(ValueError, match="NaN in the calibration inputs"):
        prune(mlp(), 0.5, method="wanda", calibration=[torch.full((1, 64), torch.nan)])


def test_models_without_weights_to_prune_are_errors():
    with pytest.raises(ValueError, match=r"has no nn\.Linear"):
        prune(nn.ReLU(), 0.5)
    with pytest.raises(ValueError, match="not initialised yet"):
        prune(nn.Sequential(nn.LazyLinear(4)), 0.5)


def test_meta_and_empty_layers_are_left():
    model = nn.ModuleList([nn.Linear(4, 4, device="meta"), nn.Linear(0, 4), nn.Linear(4, 4)])
    assert [row.left for row in prune(model, 0.5).rows] == [
        "is on the meta device, without values",
        "has no weights",
        None,
    ]


def test_unknown_inputs_are_a_type_error():
    with pytest.raises(TypeError, match="expected a tensor for model"):
        prune(mlp(), 0.5, method="wanda", calibration=[3])


def small():
    return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 16))


FRACTION = "expected a number between 0 and 1"
NAMES = r"a name with \* for anything, or a list of them"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": [small()]}, TypeError, r"prune\(model\): got list, expected an nn\.Module"),
        ({"model": nn.Linear}, TypeError, r"prune\(model\): got type"),
        (
            {"sparsity": {"0": 0.8}},
            TypeError,
            f"got dict, {FRACTION}; for a sparsity by layer see per_layer=",
        ),
        ({"sparsity": "0.8"}, TypeError, rf"prune\(sparsity='0.8'\): got str, {FRACTION}"),
        ({"sparsity": True}, TypeError, rf"prune\(sparsity=True\): got bool, {FRACTION}"),
        ({"sparsity": float("nan")}, ValueError, r"prune\(sparsity=nan\): expected a fraction"),
        ({"pattern": (4, 1)}, TypeError, r"pattern=\(4, 1\): expected a name such as"),
        ({"pattern": None}, TypeError, "pattern=None: expected a name such as"),
        (
            {"method": lambda w, norms: w.abs()},
            TypeError,
            r"got function, .* becomes one by Score\(name, function\)",
        ),
        (
            {"method": Score("s", lambda w, norms: w.abs(), compare="rows")},
            ValueError,
            "a Score of compare='rows'",
        ),
        (
            {"method": Score("s", lambda w, norms: None)},
            ValueError,
            "is a NoneType, expected a tensor; nothing was",
        ),
        ({"allocation": ["uniform"]}, ValueError, r"allocation=\['uniform'\]\): expected one of"),
        (
            {"calibration": 5},
            TypeError,
            r"prune\(calibration=\.\.\.\): got int, expected an iterable of model inputs",
        ),
        ({"calibration": "x"}, TypeError, r"prune\(calibration=\.\.\.\): got str"),
        ({"calibration": [None]}, TypeError, "model inputs: got NoneType, expected a tensor"),
        ({"where": 5}, TypeError, rf"prune\(where=\.\.\.\): got int, expected a predicate .*{NAMES}"),
        ({"where": ["0", 2]}, TypeError, "got a list that holds other things"),
        ({"where": []}, ValueError, r"prune\(where=\(\), ignore=\(\)\) chooses none"),
        ({"ignore": 5}, TypeError, rf"prune\(ignore=\.\.\.\): got int, expected {NAMES}"),
        (
            {"per_layer": [("0", 0.5)]},
            TypeError,
            "got list, expected a mapping of name patterns to sparsities",
        ),
        (
            {"per_layer": {0: 0.5}},
            TypeError,
            r"prune\(per_layer=\.\.\.\): got a dict that holds other things",
        ),
        ({"per_layer": {"0": "a"}}, TypeError, rf"per_layer={{'0': 'a'}}\): got str, {FRACTION}"),
        ({"per_layer": {"0": None}}, TypeError, rf"per_layer={{'0': None}}\): {FRACTION}"),
        ({"compare": ["row"]}, ValueError, r"compare=\['row'\]\): expected"),
    ],
)
def test_arguments_of_a_wrong_kind_say_what_is_right(arguments, error, message):
    arguments = {"model": small(), "sparsity": 0.8} | arguments
    before = (
        [p.clone() for p in arguments["model"].parameters()]
        if isinstance(arguments["model"], nn.Module)
        else []
    )
    with pytest.raises(error, match=message):
        prune(**arguments)
    for old, new in zip(before, arguments["model"].parameters() if before else (), strict=True):
        assert torch.equal(old, new)


@pytest.mark.parametrize(
    ("arguments", "sparsities"),
    [
        ({"sparsity": np.float32(0.75)}, (0.75, 0.75)),
        ({"sparsity": 1}, (1.0, 1.0)),
        ({"sparsity": None, "pattern": NOfM(2, 4)}, (0.5, 0.5)),
        ({"pattern": Blocks(4, 1)}, (0.75, 0.75)),
        ({"where": ["0"]}, (0.75, 0.0)),
        ({"where": iter(("0", "2"))}, (0.75, 0.75)),
        ({"where": {"2"}}, (0.0, 0.75)),
        ({"ignore": "0"}, (0.0, 0.75)),
        ({"ignore": None}, (0.75, 0.75)),
        ({"calibration": torch.ones(8, 32)}, (0.75, 0.75)),
        ({"calibration": {"input": torch.ones(8, 32)}}, (0.75, 0.75)),
    ],
)
def test_what_a_user_would_expect_is_taken(arguments, sparsities):
    report = prune(small(), **{"sparsity": 0.75} | arguments)
    assert tuple(row.sparsity for row in report.rows) == sparsities


def test_one_calibration_tensor_is_one_pass():
    """Not a pass for each of its rows."""
    shapes = []
    model = small()
    model.register_forward_pre_hook(lambda module, args: shapes.append(tuple(args[0].shape)))
    prune(model, 0.8, calibration=torch.ones(8, 32))
    assert shapes == [(8, 32)]


def test_unknown_zeros_are_not_printed():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(8, 8)), nn.Linear(8, 8))
    report = prune(model, 0.5)
    assert report.rows[0].zeros is None
    assert "%" not in str(report).splitlines()[2].partition("left")[0]


@pytest.mark.parametrize(
    ("masks", "error", "message"),
    [
        (None, TypeError, "got NoneType, expected a mapping of names to bool tensors"),
        ({"0.weight": 1}, TypeError, "expected a mapping of names to bool tensors"),
        ({"zz": torch.ones(1, dtype=torch.bool)}, ValueError, "Sequential has no parameter 'zz'"),
        (
            {"0.weight": torch.ones(64, 32)},
            ValueError,
            r"0\.weight needs a bool mask of \(64, 32\), but has a torch\.float32",
        ),
        ({"0.weight": torch.ones(64, 1, dtype=torch.bool)}, ValueError, r"mask of \(64, 1\)"),
    ],
)
def test_masks_that_do_not_fit_are_an_error(masks, error, message):
    with pytest.raises(error, match=message):
        apply_masks(small(), masks)
