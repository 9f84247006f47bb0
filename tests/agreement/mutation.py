"""A seeded fuzzer of captures: the same number gives the same broken file on every machine."""

import random
from functools import cache

from tests.agreement.corpus import made_captures, shared, unpacked

MOST = 12_000
"""Bytes of a mutated file: what breaks a reader shows in the first records."""

EXTREMES = (0, 1, 3, 4, 19, 20, 27, 28, 31, 32, 39, 40, 0x7F, 0x80, 0xFF, 0x1FFF, 0x3FFF, 0x7FFF, 0x8000, 0xFFFF)
WIDE = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC, 64 << 20, (64 << 20) + 1, 0x10000)


@cache
def seeds() -> tuple[bytes, ...]:
    """Beginnings of captures: made ones of every link type and form, and the real ones where they are there."""
    real = [path for folder in ("nasty", "pcap") for path in shared(folder)]
    found = list(made_captures().values())
    for path in real:
        try:
            raw = unpacked(path)
        except (OSError, EOFError):
            continue
        found.append(raw[:MOST])
    return tuple(raw for raw in found if len(raw) >= 24)


def mutant(number: int, *, real: bool = True) -> bytes:
    """Broken capture `number`; without `real` only made captures are its parents."""
    rng = random.Random(number)
    pool = seeds() if real else tuple(made_captures().values())
    raw = bytearray(rng.choice(pool)[: rng.choice((MOST, MOST, 2000, 400))])
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        raw = rng.choice(CHANGES)(raw, rng, pool)
        if len(raw) < 4:
            break
    return bytes(raw[: 2 * MOST])


Pool = tuple[bytes, ...]


def _bits(raw: bytearray, rng: random.Random, pool: Pool) -> bytearray:
    for _ in range(rng.choice((1, 1, 4, 30))):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return raw


def _bytes(raw: bytearray, rng: random.Random, pool: Pool) -> bytearray:
    for _ in range(rng.choice((1, 3, 20))):
        raw[rng.randrange(len(raw))] = rng.choice((0, 255, rng.randrange(256)))
    return raw


def _head(raw: bytearray, rng: random.Random, pool: Pool) -> bytearray:
    """The first bytes: file headers, first interface, first frame."""
    for _ in range(rng.choice((1, 2, 4))):
        raw[rng.randrange(min(len(raw), 160))] = rng.randrange(256)
    return raw


def _link(raw: bytearray, rng: random.Random, pool: Pool) -> bytearray:
    """Another link type for the frames of a classic pcap."""
    if len(raw) > 24:
        raw[20:24] = rng.choice((0, 1, 9, 12, 51, 101, 105, 113, 117, 119, 127, 163, 192, 239, 242, 276)).to_bytes(
            4, "little"
        )
    return raw


def _number(raw: bytearray, rng: random.Random, pool: Pool) -> bytearray:
    """A field of two or four bytes, often a length, at an extreme."""
    size = rng.choice((2, 4))
    if len(raw) <= size:
        return raw
    for _ in range(rng.choice((1, 1, 5))):
        at = rng.randrange(len(raw) - size)
        value = rng.choice(EXTREMES) if size == 2 else rng.choice(WIDE)
        raw[at : at + size] = value.to_bytes(size, rng.choice(("big", "little")))
    return raw


def _near(raw: bytearray, rng: random.Random, pool: Pool) -> bytearray:
    """A field of two bytes a little larger or smaller."""
    if len(raw) > 2:
        at = rng.randrange(len(raw) - 2)
        order = rng.choice(("big", "little"))
        value = int.from_bytes(raw[at : at + 2], order)  # type: ignore[arg-type]
        raw[at : at + 2] = ((value + rng.randint(-9, 9)) & 0xFFFF).to_bytes(2, order)  # type: ignore[arg-type]
    return raw


def _cut(raw: bytearray, rng: random.Random, pool: Pool) -> bytearray:
    return raw[: rng.randrange(len(raw) + 1)]


def _without(raw: bytearray, rng: random.Random, pool: Pool) -> bytearray:
    at, size = rng.randrange(len(raw)), rng.choice((1, 2, 4, 16, 100))
    return raw[:at] + raw[at + size :]


def _twice(raw: bytearray, rng: random.Random, pool: Pool) -> bytearray:
    at, size = rng.randrange(len(raw)), rng.choice((4, 16, 60, 400, 3000))
    return raw[: at + size] + raw[at : at + size] + raw[at + size :]


def _spliced(raw: bytearray, rng: random.Random, pool: Pool) -> bytearray:
    other = rng.choice(pool)[:MOST]
    return raw[: rng.randrange(len(raw) + 1)] + other[rng.randrange(len(other)) :]


def _filled(raw: bytearray, rng: random.Random, pool: Pool) -> bytearray:
    at, size = rng.randrange(len(raw)), rng.choice((4, 40, 400))
    return raw[:at] + rng.randbytes(size) + raw[at + rng.choice((0, size)) :]


CHANGES = (
    *(_bits, _bytes, _head, _number, _number, _near, _near),
    *(_link, _cut, _without, _twice, _spliced, _filled),
)
