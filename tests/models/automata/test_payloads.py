"""Payload models: planted payloads are found again, and templates keep only what conversations share."""

from dataclasses import replace

import numpy as np
import pytest

from netsynth_core.errors import DocumentError
from netsynth_core.flows.word_payloads import PayloadSource
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.payloads import PayloadModels, learn_payloads, reads
from netsynth_core.models.automata.templates import SUPPORT, Part, Template, byte_templates, text_templates
from netsynth_core.models.tadam import Tadam, TadamParams
from netsynth_core.models.tadam.noise import Alignment, NoiseOp

N = 40


def planted(i: int) -> list[tuple[str, bytes]]:
    """One conversation: a request with a secret path, a binary answer that begins alike, ciphertext."""
    rng = np.random.default_rng(i)
    secret = rng.choice(list("abcdefghijklmnop"), int(rng.integers(8, 14)))
    path = "".join(secret).encode()
    return [
        ("PA_>_Text-GET", b"GET /" + path + b" HTTP/1.1\r\nHost: www.shared.example\r\nX-Id: %d\r\n\r\n" % (i + 1000)),
        ("PA_<_Replay", b"\x89MAGIC\x00\x01" + rng.bytes(24)),
        ("PA_<_Random", rng.bytes(64)),
    ]


def words_and_source() -> tuple[Words, PayloadSource]:
    rows = [planted(i) for i in range(N)]
    words = Words.from_lists([[(s, 5, len(p)) for s, p in row] for row in rows], unit="us", service="x", state="SF")
    octets = [p for row in rows for _, p in row]
    lengths = np.array([len(p) for p in octets], np.int64)
    starts = np.cumsum(lengths) - lengths
    return words, PayloadSource(np.frombuffer(b"".join(octets), np.uint8), starts, lengths, lengths)


@pytest.fixture(scope="module")
def model() -> Tadam:
    return Tadam.fit(words_and_source()[0], TadamParams(), rng=np.random.default_rng(0))


@pytest.mark.parametrize("keep", ["templates", "replay"])
def test_planted_payloads_are_recovered(model: Tadam, keep: str) -> None:
    words, source = words_and_source()
    learnt = learn_payloads(model, words, source, keep=keep)
    assert learnt is not None
    by_symbol = {model.automaton.transition(held.transition).symbol: held for held in learnt.models}
    text, binary, random = (by_symbol[s] for s in ("PA_>_Text-GET", "PA_<_Replay", "PA_<_Random"))
    assert (text.kind, binary.kind, random.kind) == ("Text", "Replay", "Random")
    assert text.seen == binary.seen == random.seen == N
    literals = b"|".join(part.literal for part in text.templates[0].parts)
    assert (
        b"GET" in literals
        and b" HTTP/1.1" in literals
        and b"Host: www.shared.example\r\n" in literals.replace(b"|", b"")
    )
    fields = [part for part in text.templates[0].parts if part.field]
    assert [part.field for part in fields] == ["letters", "digits"]
    assert 8 <= fields[0].low <= fields[0].high <= 13 and (fields[1].low, fields[1].high) == (4, 4)
    assert binary.templates[0].parts[0].literal == b"\x89MAGIC\x00\x01"
    assert not random.templates and dict(random.lengths) == {64: N}
    stored = {sample for held in learnt.models for sample in held.samples}
    assert stored == ({p for i in range(N) for _, p in planted(i)} if keep == "replay" else set())


def test_templates_hold_no_field_of_any_conversation(model: Tadam) -> None:
    words, source = words_and_source()
    learnt = learn_payloads(model, words, source, keep="templates")
    assert learnt is not None
    kept = b"".join(array.tobytes() for array in learnt.to_arrays().values())
    for i in range(N):
        request, answer, cipher = (p for _, p in planted(i))
        path = request.split(b" ")[1][1:]
        assert path not in kept
        assert answer[8:16] not in kept and cipher[:8] not in kept


def test_nothing_is_learnt_where_nothing_is_to_be_kept(model: Tadam) -> None:
    words, source = words_and_source()
    assert learn_payloads(model, words, source, keep="none") is None


def test_few_conversations_share_nothing() -> None:
    messages = [b"GET /same HTTP/1.1\r\n\r\n"] * 9
    assert text_templates(messages, [0, 1] * 4 + [0]) == ()
    assert byte_templates(messages, [0, 1] * 4 + [0]) == ()
    assert SUPPORT == 3 and text_templates(messages, range(9))


def test_a_template_writes_no_more_than_asked() -> None:
    template = Template((Part(b"GET /"), Part(b"", "letters", 3, 9), Part(b" HTTP/1.1\r\n")), 5)
    rng = np.random.default_rng(0)
    for size in range(40):
        made = template.write(size, rng=rng)
        assert len(made) == min(size, max(19, min(size, 25)))
        assert made.startswith(b"GET /"[:size])
    full = template.write(40, rng=rng)
    assert full.endswith(b" HTTP/1.1\r\n") and full[5:14].isalpha()


def test_packets_of_noise_have_no_transition(model: Tadam) -> None:
    symbols = ["PA_>_Text-GET", "PA_<_Replay", "PA_<_Random"]
    path = tuple(t.id for s in symbols for t in model.automaton.transitions if t.symbol == s)
    end = next(t.id for t in model.automaton.transitions if t.symbol == "$")

    def found(names: list[str], ops: list[NoiseOp], taken: tuple[str, ...] = path) -> list[tuple[int, str]]:
        return list(reads(model.automaton, Alignment(0, 1.0, (*taken, end), tuple(ops), True), names))

    a, b, c = path
    assert found(symbols, []) == [(0, a), (1, b), (2, c)]
    twice = [symbols[0], symbols[0], *symbols[1:]]
    assert found(twice, [NoiseOp("re-emission", 1)]) == [(0, a), (2, b), (3, c)]
    assert found(["?", *symbols], [NoiseOp("addition", 0)]) == [(1, a), (2, b), (3, c)]
    assert found([symbols[0], symbols[2]], [NoiseOp("deletion", 1)]) == [(0, a), (1, c)]
    assert found([symbols[1], symbols[0], symbols[2]], [NoiseOp("transposition", 0)]) == [(1, a), (0, b), (2, c)]


def test_payloads_live_in_the_document(model: Tadam) -> None:
    words, source = words_and_source()
    with_them = replace(model, payloads=learn_payloads(model, words, source, keep="replay"))
    document = with_them.to_document()
    again = Tadam.from_document(document)
    assert again.payloads == with_them.payloads
    assert again.observations is not None
    without = replace(document, arrays={k: v for k, v in document.arrays.items() if not k.startswith("payload_")})
    assert Tadam.from_document(without).payloads is None
    only = replace(document, arrays={k: v for k, v in document.arrays.items() if k.startswith("payload_")})
    assert Tadam.from_document(only).observations is None


@pytest.mark.parametrize(
    "name, array",
    [
        ("payload_offsets", np.array([0, 5, 3], np.int64)),
        ("payload_offsets", np.array([[0]], np.int64)),
        ("payload_bytes", np.zeros(3, np.float64)),
        ("payload_models", np.frombuffer(b"{]", np.uint8)),
        ("payload_models", np.frombuffer(b'{"version": 2, "models": []}', np.uint8)),
        ("payload_models", np.frombuffer(b"[" * 100_000, np.uint8)),
    ],
)
def test_broken_arrays_are_refused(model: Tadam, name: str, array: np.ndarray) -> None:
    words, source = words_and_source()
    learnt = learn_payloads(model, words, source, keep="replay")
    assert learnt is not None
    arrays = learnt.to_arrays()
    assert PayloadModels.from_arrays(arrays) == learnt
    with pytest.raises(DocumentError):
        PayloadModels.from_arrays({**arrays, name: array})
    with pytest.raises(DocumentError):
        PayloadModels.from_arrays({k: v for k, v in arrays.items() if k != name})
