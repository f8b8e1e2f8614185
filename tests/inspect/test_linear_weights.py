from torch import nn
from torch.nn.utils import parametrizations

from tamis.inspect import find_linear_weights, memory_of


def test_every_memory_once_with_its_other_names():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.MultiheadAttention(4, 2))
    model[1].weight = nn.Parameter(model[0].weight.detach())
    found = find_linear_weights(model)
    assert [(w.name, w.parameter, w.shape) for w in found] == [
        ("0", "0.weight", (4, 4)),
        ("2.in_proj_weight", "2.in_proj_weight", (12, 4)),
        ("2.out_proj", "2.out_proj.weight", (4, 4)),
    ]
    assert found[0].aliases == ("1.weight",)
    assert memory_of(model[0].weight) == memory_of(model[1].weight) != memory_of(model[0].weight[1:])


def test_a_weight_that_is_computed_has_a_shape_and_an_obstacle():
    (found,) = find_linear_weights(nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 5))))
    assert found.weight is None
    assert found.shape == (5, 3)
    assert "computes its weight anew" in found.obstacle
