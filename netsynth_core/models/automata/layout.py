"""Laying out DOT text as SVG with Graphviz, in a child process with a time limit.

The layout holds the interpreter lock for seconds on large graphs, so it never runs in the asking process. Engines, in
this order: the one inside the pygraphviz wheel, then `dot` on the path; with neither, there is no drawing. Time is
bounded: a graph of many edges, or one that took too long, is laid out quickly, and the drawing says so.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache

from netsynth_core.errors import NetsynthError

TIMEOUT = 20.0
"""Seconds that a layout may take; then it is tried once more, quickly and without labels on the transitions."""
QUICK_ABOVE = 300
"""Graphs of more edges are laid out quickly at once: curves around 500 edges cost dot ten seconds, lines 0.3."""

_CHILD = """
import sys
import pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode("utf-8"))
sys.stdout.buffer.write(graph.draw(format="svg", prog="dot"))
"""
_QUICK = "graph [splines=line, nslimit=0.1, nslimit1=0.1, mclimit=0.1];"
# Straight lines, and few rounds for ranks, crossings and places.
_HEAD = re.compile(r"^\s*(?:strict )?digraph[^{\n]*\{")
_EDGE = re.compile(r"^\s*n\d+ -> n\d+\b", re.MULTILINE)
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
    quick: bool = False
    """Whether it was laid out quickly: straight lines, places not searched for long."""


class LayoutTooSlow(NetsynthError, TimeoutError):
    """Even the quick layout took longer than it may."""


def draw_svg(dot: str, *, timeout: float = TIMEOUT) -> Drawn | None:
    """Lay out DOT text; None when no engine is at hand or all of them took too long (`lay_out` tells the two apart)."""
    try:
        return lay_out(dot, timeout=timeout)
    except LayoutTooSlow:
        return None


@lru_cache(maxsize=64)
def lay_out(dot: str, *, timeout: float = TIMEOUT) -> Drawn | None:
    """Lay out DOT text; None when no engine is at hand. Equal text is laid out once.

    Raises
    ------
    LayoutTooSlow
        When no try ended within `timeout` seconds.
    """
    edges = len(_EDGE.findall(dot))
    bare = _HEAD.sub(lambda head: head[0] + " " + _QUICK, _EDGE_LABEL.sub(r'\1label=""', dot), count=1)
    tries = ((dot, False), (bare, True))
    for text, quick in tries[1:] if edges > QUICK_ABOVE else tries:
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
                return _drawn(svg, engine, quick)
        if not slow:
            return None
    raise LayoutTooSlow(
        f"The layout of {edges} edges took longer than {timeout:g} seconds.",
        hint="Save it as DOT (--format dot) and lay it out elsewhere, or learn a smaller model.",
    )


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


def _drawn(svg: str, engine: str, quick: bool) -> Drawn:
    size = _SIZE.search(svg)
    width, height = (float(size[1]), float(size[2])) if size else (0.0, 0.0)
    return Drawn(svg, engine, width, height, labels=not quick, quick=quick)
