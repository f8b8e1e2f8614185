"""sparsify: every layer judged, every obstacle named, the model's results kept."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import tamis.models.choice
from tamis.models import save_sparse, sparsify
from tamis.nn import SparseLinear
from tamis.pruning import prune
from tamis.tuning import Timing

X = torch.randn(20, 32, generator=torch.Generator().manual_seed(0))


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 16))


class Wrapped(nn.Module):
    """A model of named parts with a forward of the test's own."""

    def __init__(self, forward, **parts):
        super().__init__()
        self._run = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self._run(self, x)


def only(report, name):
    (row,) = (row for row in report.rows if row.name == name)
    return row


@pytest.fixture
def clock(monkeypatch):
    """Timings that the test chooses: contestant name -> milliseconds per call."""
    ms = {"dense": 1.0, "CSR": 0.5, "BSR 4x1": 0.25}

    def timed(contestants, *, budget_s):
        for call in contestants.values():
            call()
        return {name: Timing(ms[name] * 1000, 0, 0, 5, 5, 1, 0) for name in contestants}

    monkeypatch.setattr(tamis.models.choice, "time_interleaved", timed)
    return ms


@pytest.mark.parametrize("times", ["measured", "predicted"])
@pytest.mark.parametrize(
    ("pattern", "sparsity"), [("unstructured", 0.8), ("4x1", 0.8), ("16x16", 0.5), ("2:4", None)]
)
def test_results_are_kept(times, pattern, sparsity):
    model = mlp()
    prune(model, sparsity, pattern)
    expected = model(X)
    report = sparsify(model, X, times=times, replace="everywhere", budget_s=0.01)
    assert [type(model[i]) for i in (0, 2)] == [SparseLinear, SparseLinear]
    torch.testing.assert_close(model(X), expected, atol=1e-6, rtol=1e-5)
    for row in report.rows:
        assert row.replaced
        assert row.tokens == (20,)
        assert row.dense_ms > 0
        assert row.sparse_ms > 0
        assert row.error < 1e-6


def test_the_fastest_format_wins_and_the_row_says_why(clock):
    model = mlp()
    prune(model, 0.75, "4x1")
    report = sparsify(model, X)
    row = only(report, "0")
    assert (row.format, row.kernel) == ("BSR 4x1", "cpu/spmm_bsr")
    assert (row.shape, row.sparsity, row.dense_ms, row.sparse_ms) == ((64, 32), 0.75, 1.0, 0.25)
    assert row.reason == "4.00x as fast (measured)"
    assert "2 of 2 linear layers are sparse now, 2.00 -> 0.50 ms (measured)" in str(report)


def test_dense_stays_where_it_is_faster(clock):
    clock["CSR"] = 1.5
    model = mlp()
    prune(model, 0.8)
    before = list(model)
    report = sparsify(model, X)
    assert list(model) == before
    assert only(report, "0").reason == "dense is 1.50x as fast (measured)"
    assert only(report, "0").sparse_ms == 1.5
    assert "0 of 2 linear layers are sparse now: dense is the right choice here." in str(report)


def test_everywhere_means_also_where_dense_is_faster(clock):
    clock["CSR"] = 1.5
    model = mlp()
    prune(model, 0.8)
    assert all(row.replaced for row in sparsify(model, X, replace="everywhere").rows)


def test_a_layer_called_twice_counts_twice(clock):
    model = Wrapped(lambda m, x: m.fc(m.fc(x)[:5]), fc=nn.Linear(32, 32))
    prune(model, 0.8)
    row = only(sparsify(model, X), "fc")
    assert row.tokens == (20, 5)
    assert (row.dense_ms, row.sparse_ms) == (2.0, 1.0)


def test_a_layer_of_one_name_stays_one_module(clock):
    layer = nn.Linear(32, 32)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    prune(model, 0.8)
    expected = model(X)
    assert len(sparsify(model, X).rows) == 1
    assert isinstance(model[0], SparseLinear)
    assert model[0] is model[2]
    torch.testing.assert_close(model(X), expected, atol=1e-6, rtol=1e-5)


def read_weight(model, x):
    return nn.functional.linear(model.a(x), model.b.weight)


def shared_weights():
    a, b = nn.Linear(32, 32), nn.Linear(32, 32)
    b.weight = a.weight
    return Wrapped(lambda m, x: m.b(m.a(x)), a=a, b=b)


class Subclass(nn.Linear):
    pass


def hooked():
    model = nn.Sequential(nn.Linear(32, 32))
    model[0].register_forward_hook(lambda *_: None)
    return model


def with_a_forward_of_its_own():
    model = nn.Sequential(nn.Linear(32, 32))
    forward = model[0].forward
    model[0].forward = lambda x: 2 * forward(x)
    return model


def with_a_buffer():
    model = nn.Sequential(nn.Linear(32, 32))
    model[0].register_buffer("scale", torch.ones(1))
    return model


def detached(model, x):
    return model.a(x) + model.a.weight.data.detach().sum()


def kept_in_a_list(model, x):
    """Reads a weight that was asked for before the run."""
    kept = model.__dict__.setdefault("kept", [model.a._parameters["weight"]])
    return model.a(x) + kept[0][3:].sum()


def empty_call(model, x):
    return x + model.a(x[:0]).sum()


@pytest.mark.parametrize(
    ("model", "name", "reason"),
    [
        (lambda: Wrapped(read_weight, a=nn.Linear(32, 32), b=nn.Linear(32, 32)), "b", "its weight is read by read_weight, which never calls the layer"),
        (lambda: Wrapped(lambda m, x: m.a(x) * m.a.weight.mean(), a=nn.Linear(32, 32)), "a", "its weight is read by <lambda>"),
        (lambda: Wrapped(lambda m, x: m.a(x), a=nn.Linear(32, 32), b=nn.Linear(32, 32)), "b", "never ran on the example inputs"),
        (lambda: Wrapped(empty_call, a=nn.Linear(32, 32)), "a", "met only empty inputs"),
        (shared_weights, "a", "shares its memory with b.weight"),
        (lambda: nn.Sequential(Subclass(32, 32)), "0", "is a Subclass"),
        (lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(32, 32))), "0", "ParametrizedLinear computes its weight anew"),
        (hooked, "0", "has 1 hook, which would be lost"),
        (with_a_forward_of_its_own, "0", "has a forward of its own, which would be lost"),
        (with_a_buffer, "0", "also holds scale, which would be lost"),
        (lambda: Wrapped(detached, a=nn.Linear(32, 32)), "a", "its weight is read by detached"),
        (lambda: Wrapped(kept_in_a_list, a=nn.Linear(32, 32)), "a", "its weight is read by kept_in_a_list"),
        (lambda: Wrapped(lambda m, x: m.t(x[None])[0], t=nn.TransformerEncoderLayer(32, 2, 32, batch_first=True)), "t.linear1", "its weight is read by TransformerEncoderLayer.forward, which never calls the layer"),
        (lambda: nn.Sequential(nn.TransformerEncoderLayer(32, 2, 32)), "0.self_attn.in_proj_weight", "MultiheadAttention multiplies by it itself"),
        (lambda: nn.Sequential(nn.TransformerEncoderLayer(32, 2, 32)), "0.self_attn.out_proj", "is a NonDynamicallyQuantizableLinear"),
    ],
)  # fmt: skip
def test_layers_that_must_stay_dense_say_why(clock, model, name, reason):
    model = model().eval()
    prune(model, 0.8)
    expected = model(X)
    row = only(sparsify(model, X), name)
    assert not row.replaced
    assert row.reason.startswith(reason)
    assert f"dense: {row.reason}" in str(sparsify(model, X))
    torch.testing.assert_close(model(X), expected, atol=1e-6, rtol=1e-5)


def asks_for_metadata(model, x):
    """What T5 does before its ``wo``, and code that sums biases."""
    weight = model.fc.weight
    if isinstance(weight, torch.Tensor) and weight.dtype != x.dtype and weight.device == x.device:
        x = x.to(weight.dtype)
    return model.fc(x[..., : weight.shape[1]]) + 0 * model.fc.bias


@pytest.mark.parametrize(
    "forward",
    [
        asks_for_metadata,
        lambda model, x: model.fc(input=x),
        lambda model, x: model.fc.forward(x),
        lambda model, x: model.fc.forward(input=x),
    ],
)
def test_what_a_sparse_layer_can_answer_is_no_obstacle(clock, forward):
    model = Wrapped(forward, fc=nn.Linear(32, 32)).eval()
    report = prune(model, 0.8, calibration=[X])
    assert report.rows[0].left is None
    expected = model(X)
    row = only(sparsify(model, X), "fc")
    assert (row.replaced, row.tokens) == (True, (20,))
    assert isinstance(model.fc, SparseLinear)
    torch.testing.assert_close(model(X), expected, atol=1e-6, rtol=1e-5)


def test_a_layer_that_is_called_only_as_an_nn_linear_stays(clock):
    model = Wrapped(lambda m, x: m.fc(x) if isinstance(m.fc, nn.Linear) else x, fc=nn.Linear(32, 32))
    prune(model, 0.8)
    row = only(sparsify(model, X), "fc")
    assert "called 0 times once sparse, 1 times before" in row.reason
    assert type(model.fc) is nn.Linear


def test_an_infinite_weight_is_no_deviation(clock):
    model = nn.Sequential(nn.Linear(32, 32)).eval()
    with torch.no_grad():
        model[0].weight[3, 4] = torch.inf
    report = prune(model, 0.8)
    assert report.rows[0].kept_score is None
    assert "nan" not in str(report)
    report = sparsify(model, X)
    assert report.rows[0].error < 1e-6
    assert "nan" not in str(report)
    assert model(X)[:, 3].isinf().all()


class Packed(torch.Tensor):
    """A tensor without memory of its own, as quantisers make them."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.detach.default:
            return cls(args[0].inner)
        plain = [a.inner if isinstance(a, cls) else a for a in args]
        return func(*plain, **(kwargs or {}))


@pytest.mark.parametrize(
    ("weight", "reason"),
    [
        (
            lambda: Packed(torch.randn(32, 32)),
            "its weight is a Packed, whose numbers are not plainly in memory",
        ),
        (lambda: torch.randn(32, 32).relu().to_sparse_csr(), "its weight is a sparse_csr"),
    ],
)
def test_weights_without_plain_memory_stay_and_say_so(clock, tmp_path, weight, reason):
    model = nn.Sequential(nn.Linear(32, 32), nn.Linear(32, 32)).eval()
    model[0].weight = nn.Parameter(weight(), requires_grad=False)
    report = prune(model, 0.8)
    assert report.rows[0].left.startswith(reason)
    row = only(sparsify(model, X), "0")
    assert row.reason.startswith(reason)
    assert isinstance(model[1], SparseLinear)
    with pytest.raises(TypeError, match=r"save_sparse\(model\): 0\.weight is a \w+, no dense tensor"):
        save_sparse(model, tmp_path)


def test_a_weight_tied_to_an_embedding_stays():
    words, head = nn.Embedding(10, 32), nn.Linear(32, 10, bias=False)
    head.weight = words.weight
    model = Wrapped(lambda m, ids: m.head(m.words(ids)), words=words, head=head)
    report = sparsify(model, torch.arange(10), times="predicted")
    assert report.rows[0].reason == "shares its memory with words.weight, which is no linear layer"


def test_a_layer_without_zeros_stays():
    report = sparsify(mlp(), X, times="predicted", replace="everywhere")
    assert {row.reason for row in report.rows} == {"has no zeros; prune the model first"}


def test_no_kernel_is_a_reason_not_an_error():
    model = mlp().double()
    prune(model, 0.8)
    report = sparsify(model, X.double(), times="predicted")
    assert "values are float64" in report.rows[0].reason
    assert "\n" not in report.rows[0].reason
    assert type(model[0]) is nn.Linear


def test_where_chooses(clock):
    model = mlp()
    prune(model, 0.8)
    report = sparsify(model, X, where="2")
    assert [row.reason for row in report.rows] == ["not chosen by where=", "2.00x as fast (measured)"]


def test_where_takes_several_names(clock):
    model = nn.Sequential(*mlp(), nn.Linear(16, 8))
    prune(model, 0.8, where=["0", "3"])
    report = sparsify(model, X, where=iter(["2", "3"]))
    assert [row.replaced for row in report.rows] == [False, False, True]
    assert report.rows[1].reason == "has no zeros; prune the model first"


def test_a_model_that_then_fails_is_dense_again(clock):
    def picky(model, x):
        if not isinstance(model.fc, nn.Linear):
            raise TypeError("no linear layer")
        return model.fc(x)

    model = Wrapped(picky, fc=nn.Linear(32, 32))
    prune(model, 0.8)
    with pytest.raises(
        RuntimeError, match=r"fails on example_inputs: TypeError: no linear layer\nIt is dense again"
    ):
        sparsify(model, X)
    assert type(model.fc) is nn.Linear
    model(X)


def test_a_layer_reached_by_another_way_stays(clock):
    fc, other = nn.Linear(32, 32), nn.Linear(32, 32)
    model = Wrapped(lambda m, x: other(fc(x)) if m else x, fc=fc, more=nn.ModuleList([other]))
    prune(model, 0.8)
    model._run = lambda m, x: m.more[0](fc(x))
    report = sparsify(model, X)
    assert only(report, "fc").reason.startswith("called 0 times once sparse, 1 times before: the model also")
    assert "dense won in 0 of them" in sparsify(model, X, where="fc").summary()
    assert model.fc is fc
    assert isinstance(model.more[0], SparseLinear)


def test_a_bias_shared_with_another_layer_stays_shared(clock):
    a, b = nn.Linear(32, 32), nn.Linear(32, 32)
    b.bias = a.bias
    model = nn.Sequential(a, b)
    prune(model, 0.8)
    sparsify(model, X)
    assert model[0].bias is model[1].bias


def test_modes_and_frozen_weights_are_kept(clock):
    model = mlp().train()
    model[2].eval()
    model[0].weight.requires_grad_(False)
    prune(model, 0.8)
    sparsify(model, X)
    assert [model.training, model[0].training, model[2].training] == [True, True, False]
    assert [model[0].values.requires_grad, model[2].values.requires_grad] == [False, True]


def test_a_sparse_model_compiles_in_one_graph(clock):
    model = mlp()
    prune(model, 0.8)
    sparsify(model, X)
    torch._dynamo.reset()
    assert torch.equal(torch.compile(model, fullgraph=True, backend="aot_eager")(X), model(X))


def test_what_is_sparse_already_is_left(clock):
    model = mlp()
    prune(model, 0.8)
    sparsify(model, X, where="0")
    first = model[0]
    report = sparsify(model, X)
    assert [row.name for row in report.rows] == ["2"]
    assert model[0] is first
    with pytest.raises(ValueError, match=r"no nn\.Linear that is still dense"):
        sparsify(model, X)


def test_progress_is_told_before_each_layer(clock):
    model = mlp()
    prune(model, 0.8)
    steps = []
    sparsify(model, X, progress=lambda *step: steps.append(step))
    assert steps == [(0, 2, "0"), (1, 2, "2")]


def test_inference_mode_leaves_no_trace(clock):
    model = mlp()
    with torch.inference_mode():
        prune(model, 0.8)
        sparsify(model, X)
    model(X).sum().backward()
    assert model[0].values.grad is not None


def test_dense_is_called_right_only_where_it_was_compared_and_won(clock):
    clock["CSR"] = clock["BSR 4x1"] = 2.0
    model = mlp()
    prune(model, 0.8)
    hooks = [model[place].register_forward_hook(lambda *_: None) for place in (0, 2)]
    report = sparsify(model, X)
    assert "none could be compared with a sparse one" in report.summary()
    hooks[0].remove()
    assert "dense won in the 1 that could be compared" in sparsify(model, X).summary()
    hooks[1].remove()
    assert "dense is the right choice here" in sparsify(model, X).summary()


def test_bytes_are_all_that_the_layer_holds(clock):
    model = mlp()
    prune(model, 0.8)
    row = only(sparsify(model, X), "0")
    assert row.dense_bytes == 64 * 32 * 4
    held = (*model[0].parameters(), *model[0].buffers())
    assert row.sparse_bytes == model[0].nbytes == sum(tensor.nbytes for tensor in held)


@pytest.mark.parametrize(
    ("model", "arguments", "error", "message"),
    [
        (nn.Linear(32, 2), {}, ValueError, r"SparseLinear\.from_dense\(model\)"),
        (nn.ReLU(), {}, ValueError, "no nn.Linear"),
        (mlp(), {"times": "guessed"}, ValueError, "expected times 'measured' or 'predicted'"),
        (mlp(), {"replace": "maybe"}, ValueError, "replace 'where_faster' or 'everywhere'"),
        ([mlp()], {}, TypeError, r"sparsify\(model\): got list, expected an nn.Module"),
        (mlp(), {"where": 5}, TypeError, r"sparsify\(where=...\): got int, expected a predicate"),
        (mlp(), {"where": [0]}, TypeError, r"sparsify\(where=...\): got a list that holds other things"),
        (
            mlp(),
            {"where": "encoder.*"},
            ValueError,
            r"chooses none of the model's 2 layers \('0', '2', ...\)",
        ),
        (mlp(), {"budget_s": 0}, ValueError, r"sparsify\(budget_s=0\): expected seconds, more than 0"),
        (mlp(), {"budget_s": "1"}, ValueError, r"sparsify\(budget_s='1'\)"),
        (mlp(), {"budget_s": float("nan")}, ValueError, r"sparsify\(budget_s=nan\)"),
        (mlp(), {"progress": 1}, TypeError, r"sparsify\(progress=...\): got int, expected a callable"),
        (mlp(), {"example_inputs": None}, TypeError, "model inputs: got NoneType, expected a tensor"),
        (mlp(), {"example_inputs": "x"}, TypeError, "model inputs: got str"),
    ],
)
def test_wrong_arguments_name_the_cure(model, arguments, error, message):
    with pytest.raises(error, match=message):
        sparsify(model, **{"example_inputs": X} | arguments)


def test_a_compiled_model_is_refused():
    with pytest.raises(TypeError, match=r"sparsify first, then torch\.compile"):
        sparsify(torch.compile(mlp()), X)
    model = mlp()
    model.compile()
    with pytest.raises(TypeError, match=r"sparsify first, then torch\.compile"):
        sparsify(model, X)


def test_inputs_that_the_model_refuses_change_nothing():
    model = mlp()
    prune(model, 0.8)
    copied = copy.deepcopy(model)
    with pytest.raises(RuntimeError):
        sparsify(model, X[:, :5])
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), copied.state_dict().values(), strict=True)
    )
    assert type(model[0]) is nn.Linear
