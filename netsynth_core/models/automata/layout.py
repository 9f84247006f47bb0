"""Laying out DOT text as SVG with Graphviz, in a child process with a time limit.

The layout holds the interpreter lock for seconds on large graphs, so it never runs in the asking process. Engines, in
this order: the one inside the pygraphviz wheel, then `dot` on the path; with neither, there is no drawing.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache

TIMEOUT = 20.0
"""Seconds that a layout may take; then it is tried once more without labels on the transitions."""

_CHILD = """
import sys
import pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode("utf-8"))
sys.stdout.buffer.write(graph.draw(format="svg", prog="dot"))
"""
_EDGE_LABEL = re.compile(r'(-> n\d+ \[)label=(?:"(?:[^"\\]|\\.)*"|[^\s\]]+)')
_SIZE = re.compile(r'<svg[^>]*?\bwidth="([\d.]+)pt"[^>]*?\bheight="([\d.]+)pt"', re.DOTALL)


@dataclass(frozen=True)
class Drawn:
    """A laid-out graph."""

    svg: str
    """The SVG element, without XML head."""
    engine: str
    """What made it, for people."""
    width: float
    """Points."""
    height: float
    """Points."""
    labels: bool
    """False when the labels of transitions had to be left out for time."""


@lru_cache(maxsize=64)
def draw_svg(dot: str, *, timeout: float = TIMEOUT) -> Drawn | None:
    """Lay out DOT text; None when no engine is at hand or both tries took too long.

    Equal text is laid out once.
    """
    for text, labels in ((dot, True), (_EDGE_LABEL.sub(r'\1label=""', dot), False)):
        slow = False
        for engine, command in _engines():
            try:
                done = subprocess.run(
                    command, input=text.encode("utf-8"), capture_output=True, timeout=timeout, check=False
                )
            except subprocess.TimeoutExpired:
                slow = True
                break
            except OSError:
                continue
            svg = _element(done.stdout)
            if done.returncode == 0 and svg is not None:
                return _drawn(svg, engine, labels)
        if not slow:
            return None
    return None


def _engines() -> list[tuple[str, list[str]]]:
    # -P keeps the working directory out of the child's import path.
    found = [("Graphviz inside pygraphviz", [sys.executable, "-P", "-c", _CHILD])]
    program = shutil.which("dot")
    if program is not None:
        found.append(("Graphviz (dot on the path)", [program, "-Tsvg"]))
    return found


def _element(output: bytes) -> str | None:
    text = output.decode("utf-8", errors="replace")
    start, end = text.find("<svg"), text.rfind("</svg>")
    return text[start : end + len("</svg>")] if 0 <= start < end else None


def _drawn(svg: str, engine: str, labels: bool) -> Drawn:
    size = _SIZE.search(svg)
    width, height = (float(size[1]), float(size[2])) if size else (0.0, 0.0)
    return Drawn(svg, engine, width, height, labels)
