"""The automata of every group of conversations in some captures, as a table and as pictures. Run by hand:

    python tests/benchmarks/protocol_automata.py [CAPTURE...] [--service NAME] [--joined] [--set NAME=VALUE] [--out DIR]

Without captures: `sample_data/office.pcap.gz`. Several captures are taken as one collection. Conversations are grouped
as the app does (`netsynth_core.workspace.groups`); `--joined` learns one automaton per service instead, whatever the
states, and `--service` looks at one service alone. One line a group: conversations, packets, symbols, locations,
transitions, share of conversations with noise and with none of the automaton's paths, codelength, CPU seconds, and the
most frequent path. With `--out` each automaton is also written as SVG and as a document.
"""

import argparse
import collections
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from netsynth_core.errors import NetsynthError
from netsynth_core.flows.extraction import extract_words
from netsynth_core.flows.source import read_flows
from netsynth_core.flows.words import Words
from netsynth_core.models.document import write_document
from netsynth_core.models.tadam import Tadam, TadamParams
from netsynth_core.workspace.contents import group_name
from netsynth_core.workspace.drawings import drawing
from netsynth_core.workspace.groups import decide_groups, join_words

SAMPLE = Path(__file__).parents[2] / "sample_data" / "office.pcap.gz"
SHOWN = 12
"""Most symbols of the most frequent path that are printed."""


def collect(paths: Sequence[Path]) -> tuple[list[Words], pd.DataFrame]:
    """Words of all captures by service and state, and their flows; captures that cannot be read are named."""
    held: dict[tuple[str, str], list[Words]] = collections.defaultdict(list)
    frames: list[pd.DataFrame] = []
    before = 0
    for path in paths:
        try:
            source = read_flows([path])
        except NetsynthError as error:
            print(f"# {path.name}: {error}")
            continue
        if source.packets is None or source.metered is None:
            continue
        for words in extract_words(source.packets, source.metered):
            assert words.flow_rows is not None
            held[words.service, words.state].append(replace(words, flow_rows=words.flow_rows + before))
        frames.append(source.flows.frame[["proto"]])
        before += len(source.flows)
    groups = [join_words(parts, service=key[0], state=key[1]) for key, parts in sorted(held.items())]
    return groups, pd.concat(frames, ignore_index=True)


def grouped(groups: list[Words], frame: pd.DataFrame, *, service: str | None, joined: bool) -> list[Words]:
    """What one automaton each is learnt from."""
    if service is not None:
        groups = [words for words in groups if words.service == service]
    if joined:
        names = sorted({words.service for words in groups})
        made = [join_words([words for words in groups if words.service == name], service=name) for name in names]
        return sorted(made, key=lambda words: (-len(words), words.service))
    found = decide_groups(groups, SimpleNamespace(frame=frame))  # type: ignore[arg-type]
    for joining in found.joinings:
        if len(joining.parts) > 1:
            print(f"# {joining.name}: {', '.join(joining.parts)} joined, {joining.saved:.0f} bits shorter")
    return found.groups


def main_path(words: Words) -> str:
    """The most frequent sequence of symbols, and its share."""
    counts = collections.Counter(tuple(words.names(i)) for i in range(len(words)))
    path, n = min(counts.items(), key=lambda item: (-item[1], item[0]))
    text = " ".join(path[:SHOWN]) + (f" ... ({len(path)})" if len(path) > SHOWN else "")
    return f"{n / len(words):.0%} {text}"


def report(words: Words, params: TadamParams, out: Path | None) -> None:
    """Learn from one group, print its line, draw it."""
    begun = time.process_time()
    model = Tadam.fit(words, params, rng=np.random.default_rng(0))
    spent = time.process_time() - begun
    name = group_name(words.service, words.state)
    automaton, noise, n = model.automaton, model.noise, max(len(words), 1)
    print(
        f"{name:16} {len(words):6} {len(words.symbols):8} {len(words.alphabet):4} {len(automaton.locations):5} "
        f"{len(automaton.transitions):5} {noise.noisy / n:7.1%} {noise.rejected / n:7.1%} "
        f"{model.codelength.total:10.0f} {model.codelength.empty:10.0f} {spent:7.1f}  {main_path(words)}",
        flush=True,
    )
    for warning in model.warnings:
        print(f"#   {warning}")
    if out is not None:
        write_document(out / f"{name.replace('/', '-')}.json", model.to_document())
        (out / f"{name.replace('/', '-')}.svg").write_text(drawing(model, "svg").text)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captures", nargs="*", type=Path, default=[SAMPLE])
    parser.add_argument("--service", help="only conversations of this service")
    parser.add_argument("--joined", action="store_true", help="one automaton per service, whatever the states")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="a parameter of the learner")
    parser.add_argument("--out", type=Path, help="folder for pictures and documents")
    options = parser.parse_args()
    params = TadamParams.from_settings(options.settings)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    groups, frame = collect(options.captures)
    print("group             words  packets symb   loc trans   noisy  reject       bits      empty   CPU_s  main path")
    for words in grouped(groups, frame, service=options.service, joined=options.joined):
        report(words, params, options.out)


if __name__ == "__main__":
    main()
