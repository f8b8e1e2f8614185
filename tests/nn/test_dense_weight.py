"""SparseLinear.weight: metadata for nothing, right numbers for everything that reads, an error for everything that writes."""

import copy
import io

import numpy as np
import pytest
import torch
from torch import nn

from tamis.nn import SparseLinear, sparse_linear
from tamis.pruning import prune

X = torch.randn(5, 96, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def layers():
    torch.manual_seed(0)
    dense = nn.Linear(96, 64)
    prune(dense, 0.8)
    return dense, SparseLinear.from_dense(dense)


def test_metadata_makes_no_numbers(layers, monkeypatch):
    _, sparse = layers
    monkeypatch.setattr(sparse_linear.SparseLinear, "_dense", lambda *_: 1 / 0)
    weight = sparse.weight
    assert isinstance(weight, torch.Tensor)
    assert (weight.dtype, weight.device, weight.layout) == (torch.float32, torch.device("cpu"), torch.strided)
    assert (weight.shape, weight.size(0), weight.dim(), len(weight)) == ((64, 96), 64, 2, 64)
    assert (weight.requires_grad, weight.is_floating_point(), weight.nbytes) == (True, True, 4 * 64 * 96)
    assert not sparse.requires_grad_(False).weight.requires_grad
    with pytest.raises(ZeroDivisionError):
        weight + 1


@pytest.mark.parametrize(
    "read",
    [
        lambda w: w.detach(),
        lambda w: w.data.clone(),
        lambda w: w.T.contiguous(),
        lambda w: torch.cat([w, w]),
        lambda w: w[3:5, ::2],
        lambda w: w.to(torch.bfloat16),
        lambda w: torch.as_tensor(np.asarray(w.detach())),
        lambda w: torch.tensor(w.tolist()),
        lambda w: nn.functional.linear(X, w),
        lambda w: torch.zeros(64, 96).copy_(w),
        lambda w: torch.stack(list(w)),
        lambda w: copy.deepcopy(w.detach()),
        lambda w: torch.func.vmap(torch.sum)(w),
    ],
)
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_numbers_are_those_of_the_dense_layer(layers, read, mode):
    dense, sparse = layers
    with mode():
        got, expected = read(sparse.weight), read(dense.weight)
    assert type(got) is torch.Tensor
    assert torch.equal(got, expected)


def test_gradients_reach_the_values(layers):
    _, sparse = layers
    (sparse.weight * torch.arange(96.0)).sum().backward()
    assert torch.equal(
        sparse.weight.grad, torch.arange(96.0).expand(64, 96) * (sparse.matrix.to_dense() != 0)
    )


def test_it_is_saved_as_a_plain_tensor(layers):
    dense, sparse = layers
    file = io.BytesIO()
    torch.save(sparse.weight.detach(), file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=True), dense.weight)


def add_to_data(layer):
    """What peft's merge does."""
    layer.weight.data += torch.ones(64, 96)


def add_in_place(layer):
    weight = layer.weight
    weight += 1


def set_item(layer):
    layer.weight.data[0] = 1


def freeze(layer):
    layer.weight.requires_grad = False


def into_out(layer):
    torch.add(torch.ones(64, 96), 1, out=layer.weight)


@pytest.mark.parametrize(
    "write",
    [
        add_to_data,
        add_in_place,
        set_item,
        freeze,
        into_out,
        lambda layer: nn.init.xavier_uniform_(layer.weight),
        lambda layer: nn.init.normal_(layer.weight),
        lambda layer: layer.weight.data.normal_(),
        lambda layer: layer.weight.data.copy_(torch.ones(64, 96)),
        lambda layer: layer.weight.requires_grad_(False),
        lambda layer: layer.weight.register_hook(print),
        lambda layer: torch._foreach_mul_([layer.weight], 2.0),
        lambda layer: nn.functional.relu(layer.weight, inplace=True),
    ],
)
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad])
def test_writes_are_refused_and_name_the_cure(layers, write, mode):
    dense, sparse = layers
    with mode(), pytest.raises(RuntimeError, match=r"would write to a copy .* tamis\.densify\(model\)"):
        write(sparse)
    assert torch.equal(sparse.weight, dense.weight)


@pytest.mark.parametrize("value", [nn.Parameter(torch.ones(64, 96)), torch.ones(64, 96)])
def test_it_cannot_be_assigned(layers, value):
    _, sparse = layers
    with pytest.raises((KeyError, AttributeError), match="weight"):
        sparse.weight = value


class Careful(nn.Module):
    """Asks for the dtype as T5 does."""

    def __init__(self, wo):
        super().__init__()
        self.wo = wo

    def forward(self, x):
        if isinstance(self.wo.weight, torch.Tensor) and x.dtype != self.wo.weight.dtype:
            x = x.to(self.wo.weight.dtype)
        return self.wo(x)


def test_code_that_asks_for_the_dtype_compiles_exports_and_traces(layers):
    model = Careful(layers[1]).eval().requires_grad_(False)
    expected = model(X)
    torch._dynamo.reset()
    assert torch.equal(torch.compile(model, fullgraph=True, backend="aot_eager")(X), expected)
    assert torch.equal(torch.export.export(model, (X,)).module()(X), expected)
    assert torch.equal(torch.jit.trace(model, X)(X), expected)


def test_the_fast_path_of_torchs_encoder_gives_the_same(layers):
    torch.manual_seed(0)
    dense = nn.TransformerEncoderLayer(64, 4, 96, batch_first=True).eval()
    prune(dense, 0.8)
    sparse = copy.deepcopy(dense)
    sparse.linear1 = SparseLinear.from_dense(sparse.linear1)
    sparse.linear2 = SparseLinear.from_dense(sparse.linear2)
    x = torch.randn(2, 7, 64)
    with torch.no_grad():
        torch.testing.assert_close(sparse(x), dense(x), atol=1e-6, rtol=1e-5)
