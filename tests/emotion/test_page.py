"""docs/emotion.md names what there is; its code runs in tests/docs."""

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "emotion.md"


def test_every_format_and_encoder_of_the_page_is_known():
    from tamis.emotion.corpora.named import READERS
    from tamis.emotion.streams.named import OFFLINE

    text = PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in (*READERS, *OFFLINE))
