"""Bytes of a good file, damaged."""

import random
import re
import struct

TOKENS = (
    b"-1", b"0", b"1", b"4294967295", b"2147483648", b"99999999999999999999", b"1e999", b"nan", b"-inf", b"0x10", b"1_000",
    b"\x00", b"\xff\xfe", b"\n", b"\r\n", b" " * 300, b"\xef\xbb\xbf", b"% ", b'"', b"{", b"]", b",", b"1,5", "٣".encode(),
)  # fmt: skip
WHOLE = (-1, 0, 1, 2, 127, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1)
NUMBER = re.compile(rb"-?\d+(?:\.\d*)?")


def place(rng: random.Random, content: bytes) -> int:
    """Anywhere, but half of the time in the header."""
    return rng.randrange(min(len(content), 400) + 1 if rng.random() < 0.5 else len(content) + 1)


def cut(rng: random.Random, content: bytes) -> bytes:
    return content[: place(rng, content)]


def remove(rng: random.Random, content: bytes) -> bytes:
    start = place(rng, content)
    return content[:start] + content[start + rng.choice((1, 2, 8, 50, 1000)) :]


def repeat(rng: random.Random, content: bytes) -> bytes:
    start, size = place(rng, content), rng.choice((1, 4, 40, 400))
    return content[:start] + content[start : start + size] * rng.choice((2, 3, 50)) + content[start + size :]


def insert(rng: random.Random, content: bytes) -> bytes:
    start = place(rng, content)
    return content[:start] + rng.choice(TOKENS) + content[start + rng.choice((0, 0, 1, 2)) :]


def flip(rng: random.Random, content: bytes) -> bytes:
    if not content:
        return b"\x80"
    start = min(place(rng, content), len(content) - 1)
    return content[:start] + bytes([content[start] ^ 1 << rng.randrange(8)]) + content[start + 1 :]


def whole_number(rng: random.Random, content: bytes) -> bytes:
    """Sizes and offsets of binary headers."""
    width, letter = rng.choice(((1, "B"), (2, "H"), (4, "I"), (8, "Q")))
    packed = struct.pack("<" + letter, rng.choice(WHOLE) % 2 ** (8 * width))
    start = place(rng, content)
    return content[:start] + packed + content[start + width :]


def text_number(rng: random.Random, content: bytes) -> bytes:
    found = list(NUMBER.finditer(content[:20_000]))
    if not found:
        return insert(rng, content)
    match = rng.choice(found)
    number = rng.choice((*TOKENS[:10], str(rng.choice(WHOLE)).encode()))
    return content[: match.start()] + number + content[match.end() :]


MUTATIONS = (cut, remove, repeat, insert, flip, whole_number, text_number, text_number)


def mutated(rng: random.Random, content: bytes) -> bytes:
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 5))):
        content = rng.choice(MUTATIONS)(rng, content)
    return content
