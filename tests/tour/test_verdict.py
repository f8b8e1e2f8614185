"""The sentence, on rows made by hand: sparse wins, dense wins, everything is ruined, and the strongest dense."""

from tamis.tour.verdict import best_row, verdict, warning

from .rows_by_hand import row, tour


def test_sparse_wins_and_the_fastest_intact_configuration_is_named():
    ruined, slow = row(20, 0.40, sparsity=0.9), row(80, 0.999, sparsity=0.2)
    best = row(50, 0.981, pattern="4x1", sparsity=0.3)
    found = tour(ruined, slow, best)
    assert best_row(found) is best
    said = verdict(found)
    assert said.startswith("Sparse wins here: 2.00× as fast as dense PyTorch")
    assert "4x1, 30 %" in said
    assert "0.981" in said
    assert said.count(". ") == 0  # one sentence


def test_dense_wins_when_the_intact_models_are_slower():
    found = tour(row(120, 0.99, sparsity=0.2), row(20, 0.5, sparsity=0.9))
    said = verdict(found)
    assert said.startswith("Dense wins here")
    assert "unstructured, 20 %" in said
    assert "120.0 ms" in said


def test_a_percent_is_a_tie_and_dense_wins_ties():
    assert verdict(tour(row(99, 0.99))).startswith("Dense wins here")


def test_dense_wins_when_everything_is_ruined():
    found = tour(row(50, 0.979, sparsity=0.5), row(20, 0.3, sparsity=0.9))
    assert best_row(found) is None
    said = verdict(found)
    assert said.startswith("Dense wins here: pruning ruined all 2 models")
    assert "unstructured, 50 %" in said
    assert "0.979" in said


def test_cosine_of_exactly_the_limit_counts_as_intact():
    assert best_row(tour(row(50, 0.98))) is not None


def test_a_win_over_dense_as_it_comes_is_no_win_over_packed_dense():
    found = tour(row(70, 0.99), packed_ms=60)
    assert "0.86× as fast as dense with packed weights: the best dense wins here" in verdict(found)


def test_a_tie_with_packed_dense_is_said():
    assert "no faster than dense with packed weights" in verdict(tour(row(60, 0.99), packed_ms=60))


def test_a_win_over_both():
    said = verdict(tour(row(50, 0.99), packed_ms=60))
    assert said.startswith("Sparse wins here: 2.00×")
    assert "1.20× as fast as dense with packed weights" in said


def test_a_mixture_is_explained():
    assert "each layer as sparse as it tolerates" in verdict(tour(row(50, 0.99, "mixed", None, 0.985)))


def test_the_warning_names_the_fastest_ruin_and_the_cure():
    words = warning(tour(row(50, 0.99), row(20, 0.41, "4x1", 0.9), row(40, 0.8, sparsity=0.6)))
    assert "2 of 3" in words
    assert "4x1, 90 % runs 5.00×" in words
    assert "0.41" in words
    assert "trained" in words


def test_no_ruin_no_warning():
    assert warning(tour(row(50, 0.99))) is None
