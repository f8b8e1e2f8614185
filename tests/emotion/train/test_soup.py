"""Model soups, by hand."""

from collections.abc import Callable

import pytest
import torch

from tamis.emotion.train.soup import Weights, greedy_soup, uniform_soup

RUNS = [{"w": torch.tensor([value])} for value in (1.0, 4.0, -9.0)]


def closeness_to(target: float) -> Callable[[Weights], float]:
    def score(weights: Weights) -> float:
        return -abs(float(weights["w"]) - target)

    return score


def test_uniform_is_the_mean() -> None:
    assert uniform_soup(RUNS)["w"].item() == pytest.approx(-4 / 3)


def test_greedy_adds_what_helps_and_leaves_out_what_harms() -> None:
    weights, chosen = greedy_soup(RUNS, closeness_to(2.2))
    assert chosen == [0, 1]  # 1 is the nearest to 2.2; with 4 the mean is 2.5, nearer; with -9 it is far
    assert weights["w"].item() == pytest.approx(2.5)


def test_greedy_begins_with_the_best_and_may_end_there() -> None:
    weights, chosen = greedy_soup(RUNS, closeness_to(-9.0))
    assert chosen == [2]
    assert weights["w"].item() == -9.0


def test_an_equally_good_run_is_taken_in() -> None:
    assert greedy_soup([RUNS[0], RUNS[0]], closeness_to(0.0))[1] == [0, 1]


def test_nothing_to_average() -> None:
    with pytest.raises(ValueError, match="no run"):
        uniform_soup([])
    with pytest.raises(ValueError, match="no run"):
        greedy_soup([], closeness_to(0.0))
