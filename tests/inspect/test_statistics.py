import pytest
import torch
from torch import nn

from tamis.inspect import layer_statistics
from tamis.inspect.statistics import ROWS


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.twice, self.idle = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x):
        return self.twice(self.twice(x))


@pytest.mark.parametrize("gram", [None, torch.float32, torch.float64])
def test_sums_run_over_all_tokens_calls_and_batches(gram):
    torch.manual_seed(0)
    model = Twice().train()
    batches = [torch.randn(2, 5, 6), {"x": torch.randn(3, 6)}]
    statistics = layer_statistics(model, batches, [model.twice, model.idle], gram=gram)
    assert set(statistics) == {model.twice}
    rows = [batches[0].flatten(0, 1), batches[1]["x"]]
    with torch.no_grad():
        x = torch.cat([*rows, *(model.twice(r) for r in rows)]).double()
    found = statistics[model.twice]
    assert found.tokens == 26
    torch.testing.assert_close(found.norms, x.norm(dim=0), rtol=1e-6, atol=0)
    if gram is None:
        assert found.gram is None
    else:
        assert found.gram.dtype == gram
        torch.testing.assert_close(found.gram.double(), x.T @ x, rtol=1e-5, atol=1e-5)
    assert model.training
    assert not model.twice._forward_pre_hooks


def test_many_rows_are_added_in_parts():
    x = torch.randn(ROWS + 7, 4)
    layer = nn.Linear(4, 2)
    gram = layer_statistics(layer, [x], [layer], gram=torch.float64)[layer].gram
    torch.testing.assert_close(gram, x.double().T @ x.double())


def test_half_precision_is_summed_in_the_grams_dtype():
    x = torch.randn(300, 4).bfloat16()
    layer = nn.Linear(4, 2, dtype=torch.bfloat16)
    gram = layer_statistics(layer, [x], [layer], gram=torch.float32)[layer].gram
    torch.testing.assert_close(gram, x.float().T @ x.float())


def test_hooks_go_even_after_an_error():
    layer = nn.Linear(4, 2)
    with pytest.raises(RuntimeError):
        layer_statistics(layer, [torch.randn(3, 5)], [layer])
    assert not layer._forward_pre_hooks
