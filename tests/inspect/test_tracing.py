import pytest
import torch
from torch import nn

from tamis.inspect import trace


class Odd(nn.Module):
    """A model that calls one layer twice, reads the weight of a second, and forgets a third."""

    def __init__(self):
        super().__init__()
        self.twice, self.read, self.idle = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x, scale=1.0):
        return nn.functional.linear(self.twice(self.twice(x)[:, :2]), self.read.weight) * scale


def linears(model):
    return [m for m in model.modules() if type(m) is nn.Linear]


@pytest.mark.parametrize(
    "inputs", [torch.rand(3, 5, 8), (torch.rand(3, 5, 8), 2.0), {"x": torch.rand(3, 5, 8)}]
)
def test_calls_and_readers_are_seen(inputs):
    model = Odd()
    uses = trace(model, inputs, linears(model))
    assert uses[model.twice].tokens == [15, 6]
    assert uses[model.twice].sample.shape == (15, 8)
    assert uses[model.twice].readers == set()
    assert uses[model.read].tokens == []
    assert uses[model.read].readers == {"Odd.forward"}
    assert (uses[model.idle].tokens, uses[model.idle].readers) == ([], set())


def test_the_model_is_as_it_was_even_after_an_error():
    model = Odd().train()
    model.idle.eval()
    with pytest.raises(RuntimeError):
        trace(model, torch.rand(3, 5, 7), linears(model))
    assert {type(m) for m in (model.twice, model.read, model.idle)} == {nn.Linear}
    assert [m.training for m in (model, model.twice, model.idle)] == [True, True, False]


def test_torchs_fused_encoder_path_is_seen_reading_weights():
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    uses = trace(model, torch.rand(2, 5, 8), [model.linear1, model.linear2])
    assert uses[model.linear1].tokens == []
    assert uses[model.linear1].readers == {"TransformerEncoderLayer.forward"}


def test_projections_behind_functional_attention_are_seen_as_read():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v, self.out = (nn.Linear(8, 8) for _ in range(4))

        def forward(self, x):
            b = torch.cat([self.q.bias, self.k.bias, self.v.bias])
            return nn.functional.multi_head_attention_forward(
                x, x, x, 8, 2, None, b, None, None, False, 0.0, self.out.weight, self.out.bias,
                use_separate_proj_weight=True,
                q_proj_weight=self.q.weight, k_proj_weight=self.k.weight, v_proj_weight=self.v.weight,
            )[0]  # fmt: skip

    model = Attention()
    uses = trace(model, torch.rand(5, 2, 8), linears(model))
    for use in uses.values():
        assert use.tokens == []
        assert use.readers == {f"{Attention.__qualname__}.forward"}


def test_metadata_and_biases_are_not_read():
    class Careful(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(8, 8)

        def forward(self, x):
            weight = self.fc.weight
            assert weight.requires_grad
            x = x.to(weight.device, weight.dtype)[..., : weight.size(1)]
            return self.fc(input=x) + self.fc.bias

    model = Careful()
    uses = trace(model, torch.rand(3, 8), linears(model))
    assert uses[model.fc].readers == set()
    assert uses[model.fc].tokens == [3]


def test_weights_that_are_parts_of_one_memory_are_told_apart():
    model = Odd()
    flat = nn.utils.parameters_to_vector(model.parameters()).detach()
    nn.utils.vector_to_parameters(flat, model.parameters())
    uses = trace(model, torch.rand(3, 5, 8), linears(model))
    assert uses[model.twice].readers == set()
    assert uses[model.read].readers == {"Odd.forward"}
    assert uses[model.idle].readers == set()
