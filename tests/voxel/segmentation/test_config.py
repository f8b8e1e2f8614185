"""Configurations: defaults in one place, mistakes named."""

import pytest

from tamis.voxel.segmentation.config import SegmentationConfig, load_config, preset_names


def test_presets_load():
    assert set(preset_names()) == {"quick", "street"}
    assert all(isinstance(load_config(name), SegmentationConfig) for name in preset_names())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("voxel_size = 0.1", "'voxel_size'; did you mean 'voxel_size_m'"),
        ("epochs = 0", "epochs: .*greater than 0"),
        ('sensors = ["hdl128"]', "sensors.0"),
        ('network = "ResNet"', "network"),
        ("epochs = ", "not TOML"),
        ("first_seed = 3", "first_seed"),
    ],
)
def test_mistakes_name_key_and_file(tmp_path, text, words):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"mine.toml.*{words}"):
        load_config(path)


def test_an_absent_file_lists_the_presets():
    with pytest.raises(FileNotFoundError, match="presets are quick, street"):
        load_config("nowhere.toml")
