"""The knapsack of layers, on losses that are known."""

import itertools

from tamis.tour.mixture import Option, best_at, mix
from tamis.tour.rows import Configuration


def option(saved, lost, sparsity=0.5):
    return Option(Configuration("unstructured", sparsity), saved, lost)


WAYS = {
    "a": [option(1.0, 0.001, 0.2), option(2.0, 0.02, 0.5)],
    "b": [option(3.0, 0.004, 0.2), option(4.0, 0.03, 0.5)],
    "c": [option(0.5, 0.02, 0.2)],
    "d": [],
}


def additive(choice):
    return 1 - sum(way.lost for way in choice.values())


def saved(choice):
    return sum(way.saved_ms for way in choice.values())


def test_a_high_price_leaves_all_dense_and_a_low_one_takes_the_most():
    assert best_at(WAYS, 1e9) == {}
    assert saved(best_at(WAYS, 0.0)) == 6.5


def test_options_that_save_nothing_are_never_taken():
    assert best_at({"a": [option(-1.0, 0.0), option(0.0, 0.0)]}, 0.0) == {}


def test_the_aim_is_kept_and_the_saving_is_that_of_the_best_mixture():
    for aim in (0.999, 0.994, 0.975, 0.95, 0.9):
        choice = mix(WAYS, additive, aim)
        assert additive(choice) >= aim - 1e-12
        hull = [best_at(WAYS, 10 ** (exponent / 50)) for exponent in range(-100, 400)]
        assert saved(choice) == max(saved(c) for c in hull if additive(c) >= aim - 1e-12)


def test_against_every_mixture_of_three_layers():
    kept = []
    for combination in itertools.product(*([None, *ways] for ways in WAYS.values())):
        choice = {layer: way for layer, way in zip(WAYS, combination, strict=True) if way}
        if additive(choice) >= 0.95:
            kept.append(saved(choice))
    assert saved(mix(WAYS, additive, 0.95)) >= 0.75 * max(kept)


def test_an_aim_out_of_reach_leaves_all_dense():
    assert mix(WAYS, lambda choice: 0.5 if choice else 1.0, 0.99) == {}


def test_no_options():
    assert mix({"a": []}, additive, 0.98) == {}
