import pytest
import torch

from tamis.pruning.patterns import Blocks, NOfM, misfit, parse_pattern, spread, unit_scores


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("unstructured", Blocks(1, 1)),
        ("4x1", Blocks(4, 1)),
        ("16x1", Blocks(16, 1)),
        ("1x4", Blocks(1, 4)),
        ("32x32", Blocks(32, 32)),
        ("2:4", NOfM(2, 4)),
        ("1:4", NOfM(1, 4)),
        ("4:8", NOfM(4, 8)),
    ],
)
def test_names_go_both_ways(name, pattern):
    assert parse_pattern(name) == pattern
    assert str(pattern) == name


@pytest.mark.parametrize(
    "name", ["", "4:4", "5:4", "0:4", "0x4", "4x", "x4", "4x-1", "4x1 ", "dense", "2:4:8", "٤x1"]
)
def test_a_wrong_name_is_an_error_that_shows_the_right_ones(name):
    with pytest.raises(ValueError, match="expected 'unstructured', a block such as '4x1'"):
        parse_pattern(name)


def test_misfit_names_the_side_that_does_not_divide():
    assert misfit((8, 6), Blocks(4, 1)) is None
    assert misfit((10, 6), Blocks(4, 1)) == "10 rows do not divide into 4x1"
    assert misfit((8, 6), NOfM(2, 4)) == "6 columns do not divide into 2:4"


@pytest.mark.parametrize("name", ["unstructured", "4x1", "1x4", "2x3", "2:4"])
def test_unit_scores_and_spread_speak_of_the_same_weights(name):
    pattern = parse_pattern(name)
    score = torch.rand(8, 12)
    units = unit_scores(score, pattern)
    for index in [(0, 0), (-1, -1), (1, 2)]:
        one = torch.zeros_like(units, dtype=torch.bool)
        one[index] = True
        torch.testing.assert_close(score[spread(one, pattern, (8, 12))].sum(), units[index])
