"""Colours and cues of the figures, light and dark; no Plotly here, so pages may read the colours cheaply.

Four series colours only, each with a second cue (dash, marker): real solid blue circle, synthetic dashed orange
diamond, model black or white, reference dotted grey. Contrast to the page is 3:1 or more for all four; the worst pair
is 28 (CIE76) apart under normal, protan, deutan and tritan vision. More categories: small multiples or labels.
"""

from dataclasses import dataclass
from typing import Final, Literal

ThemeName = Literal["light", "dark"]
Role = Literal["real", "synthetic", "model", "reference"]


@dataclass(frozen=True)
class Series:
    """How one role is drawn."""

    colour: str
    dash: str
    marker: str


@dataclass(frozen=True)
class Theme:
    """The colours of one theme."""

    name: ThemeName
    background: str
    text: str
    grid: str
    accent: str
    """Controls and selection outline only: it is close to the blue of real."""
    real: Series
    synthetic: Series
    model: Series
    reference: Series
    sequential: tuple[tuple[float, str], ...]
    """Colour scale of amounts, from little to much; little is near the page colour."""
    diverging: tuple[tuple[float, str], ...]
    """Colour scale of differences, synthetic minus real: blue = more in real, orange = more in synthetic."""

    def series(self, role: Role) -> Series:
        """The series of a role."""
        found: Series = getattr(self, role)
        return found


LIGHT: Final = Theme(
    name="light",
    background="#FFFFFF",
    text="#1B1A17",
    grid="#E3E1DC",
    accent="#0B5CAD",
    real=Series("#0072B2", "solid", "circle"),
    synthetic=Series("#C44E00", "dash", "diamond"),
    model=Series("#111827", "solid", "square"),
    reference=Series("#8A8F98", "dot", "line-ns"),
    sequential=((0.0, "#F7F6F3"), (0.25, "#C9DDEC"), (0.5, "#7FB2D6"), (0.75, "#2F7DB5"), (1.0, "#0A3A63")),
    diverging=((0.0, "#0072B2"), (0.25, "#8DBBDA"), (0.5, "#FFFFFF"), (0.75, "#EBB48C"), (1.0, "#C44E00")),
)

DARK: Final = Theme(
    name="dark",
    background="#171614",
    text="#ECEAE4",
    grid="#35332F",
    accent="#6FB3F2",
    real=Series("#56B4E9", "solid", "circle"),
    synthetic=Series("#FF9A4D", "dash", "diamond"),
    model=Series("#FFFFFF", "solid", "square"),
    reference=Series("#7C8796", "dot", "line-ns"),
    sequential=((0.0, "#201F1C"), (0.25, "#1F4863"), (0.5, "#2F7BA8"), (0.75, "#63B3E0"), (1.0, "#D8EEFB")),
    diverging=((0.0, "#56B4E9"), (0.25, "#355F78"), (0.5, "#201F1C"), (0.75, "#86562F"), (1.0, "#FF9A4D")),
)

FONT: Final = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'


def theme(name: ThemeName) -> Theme:
    """The theme of a name."""
    return DARK if name == "dark" else LIGHT
