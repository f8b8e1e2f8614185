from torch import nn

from tamis.inspect import linear_layers


def model():
    shared = nn.Linear(4, 4)
    return nn.Sequential(shared, nn.ReLU(), shared, nn.Sequential(nn.Linear(4, 2)))


def test_every_linear_layer_by_name_and_once():
    layers = linear_layers(model())
    assert list(layers) == ["0", "3.0"]
    assert layers["3.0"].out_features == 2


def test_where_takes_names_and_predicates():
    assert list(linear_layers(model(), "3.*")) == ["3.0"]
    assert list(linear_layers(model(), lambda name, layer: layer.out_features == 4)) == ["0"]
