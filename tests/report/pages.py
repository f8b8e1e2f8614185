"""What every page has to be: whole, and complete without a network."""

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "link", "img", "input"}


class Balanced(HTMLParser):
    """Fails on a tag that is closed but not open, and keeps those that stay open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def assert_whole(text: str) -> None:
    parser = Balanced()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>\n")


def assert_loads_nothing(text: str) -> None:
    assert not re.search(r"@import|<link|https?://|\bfetch\(", text)
    for place in re.findall(r"""(?:src|href)="([^"]*)"|url\(([^)]*)\)""", text):
        assert "".join(place).startswith(("#", "data:")), place
