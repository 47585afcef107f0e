"""The sheet that every chart is drawn on: one look, sizes in points, legends that never lie on data."""

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Sheet
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Affine2D

from studyhub.report.drawing.names import SIZE, labels, measure, plain
from studyhub.report.drawing.svg import inline

WIDTH = 331.2  # points: 4.6 inches
LEFT, RIGHT, TOP = 46.0, 10.0, 7.0  # margins around axes
BELOW = 34.0  # room for tick labels and the label of the horizontal axis
INK, SOFT, LIGHT = "#1b1f24", "#5b6570", "#e3e7eb"
ROW, SAMPLE, GAP = 13.0, 18.0, 12.0  # of a legend: height of a row, length of a line, space between columns
FEW = 6  # names up to which a legend may use the whole width for each

# Okabe and Ito's colours without black, which is the observations', and yellow, which fades on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES = ("solid", (0, (5, 1.6)), (0, (1.2, 1.4)), (0, (6, 1.5, 1.2, 1.5)), (0, (3, 1.2, 1, 1.2, 1, 1.2)))

LOOK: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "studyhub",
    "text.parse_math": False,
    "figure.facecolor": "none",  # the page's own ground, light or dark
    "axes.facecolor": "none",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same layout everywhere; the SVG asks for the reader's own
    "font.size": SIZE,
    "axes.labelsize": SIZE,
    "axes.titlesize": SIZE,
    "xtick.labelsize": SIZE,
    "ytick.labelsize": SIZE,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelpad": 3.0,
    "grid.color": LIGHT,
    "grid.linewidth": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.4,
    "lines.solid_capstyle": "butt",
}


@dataclass(frozen=True)
class Figure:
    """A drawing and what it shows.

    Parameters
    ----------
    name : file name stem of lower-case letters, digits and underscores
    caption : what is shown, of how many basins
    svg : an element to stand in a page or a file
    data : exactly what is drawn, in long form; units stand in the columns' names
    """

    name: str
    title: str
    caption: str
    svg: str
    data: pd.DataFrame

    def named(self, name: str) -> "Figure":
        """The same under another name, which its ids begin with."""
        return replace(self, name=name, svg=self.svg.replace(f"{self.name}-", f"{name}-"))


@dataclass(frozen=True)
class Key:
    """An entry of a legend: a line, or a mark where ``mark`` names one."""

    name: str
    colour: str
    dash: Any = "solid"
    width: float = 1.6
    mark: str = ""


@dataclass
class Canvas:
    """A sheet of ``WIDTH`` points and a height; places are points from its upper left corner."""

    sheet: Sheet
    height: float
    hover: dict[str, str | Sequence[str]] = field(default_factory=dict)

    def axes(self, left: float, top: float, width: float, height: float, **sharing: Any) -> Axes:
        places = (left / WIDTH, 1 - (top + height) / self.height, width / WIDTH, height / self.height)
        return self.sheet.add_axes(places, **sharing)

    def explain(self, artist: Artist, told: str | Sequence[str]) -> None:
        """What a browser shows where the pointer is: one text, or one for each mark."""
        name = f"hover-{len(self.hover)}"
        artist.set_gid(name)
        self.hover[name] = plain(told) if isinstance(told, str) else [plain(text) for text in told]

    def text(self, left: float, top: float, text: str, **looks: Any) -> Text:
        return self.sheet.text(left, self.height - top, text, transform=self._points(), **looks)

    def legend(self, keys: Sequence[Key], top: float) -> None:
        """Draw one below the axes, in columns."""
        columns, width, short = _columns(keys)
        rows = -(-len(keys) // columns)
        for place, key in enumerate(keys):
            left, middle = 8 + (place // rows) * width, top + (place % rows + 0.5) * ROW
            looks = {"color": key.colour, "linestyle": key.dash, "linewidth": key.width, "solid_capstyle": "butt"}
            across = [left, left + SAMPLE]
            if key.mark:
                looks = {"color": key.colour, "marker": key.mark, "markersize": 5.5, "markeredgewidth": 0}
                across = [left + SAMPLE / 2]
            ends = [self.height - middle] * len(across)
            self.sheet.add_artist(Line2D(across, ends, transform=self._points(), **looks))
            text = self.text(left + SAMPLE + 5, middle, short[key.name], va="center_baseline")
            if short[key.name] != key.name:
                self.explain(text, key.name)

    def figure(self, name: str, title: str, caption: str, data: pd.DataFrame) -> Figure:
        """Write what has been drawn."""
        written = io.StringIO()
        self.sheet.savefig(written, format="svg", metadata={"Date": None})
        title = plain(title)
        return Figure(name, title, caption, inline(written.getvalue(), name, title, caption, self.hover), data.reset_index(drop=True))

    def _points(self) -> Affine2D:
        return Affine2D().scale(1 / 72) + self.sheet.dpi_scale_trans  # pyright: ignore[reportReturnType]


@contextmanager
def canvas(height: float) -> Iterator[Canvas]:
    """A sheet in the look of all; draw and write within, the look of others is left as it was."""
    with style.context([LOOK], after_reset=True), warnings.catch_warnings():
        # The reader's fonts draw these letters; only their width here is a guess.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        warnings.filterwarnings("ignore", "Matplotlib currently does not support")
        sheet = Sheet(figsize=(WIDTH / 72, height / 72), dpi=72)
        FigureCanvasSVG(sheet)
        yield Canvas(sheet, height)


def legend_height(keys: Sequence[Key]) -> float:
    """Points that a legend takes, a margin below included."""
    return -(-len(keys) // _columns(keys)[0]) * ROW + 5 if keys else 0.0


def _columns(keys: Sequence[Key]) -> tuple[int, float, Mapping[str, str]]:
    names, room = [key.name for key in keys], WIDTH - 8
    most = room if len(keys) <= FEW else room / 2
    short = labels(names, most - SAMPLE - 5 - GAP)
    width = SAMPLE + 5 + GAP + max(map(measure, short.values()), default=0.0)
    columns = max(1, min(len(keys), int(room // width)))
    rows = max(1, -(-len(keys) // columns))
    return max(1, -(-len(keys) // rows)), width, short


def colours(arms: Sequence[str]) -> dict[str, str]:
    """The colour of each arm in every figure of a report, given all its arms in their order."""
    return {arm: COLOURS[place % len(COLOURS)] for place, arm in enumerate(arms)}


def keys(arms: Sequence[str], shown: Sequence[str], width: float = 1.6, dashed: bool = True) -> dict[str, Key]:
    """How the lines of some arms look: colours first, then dashes, by the place among all arms."""
    found = colours(arms)
    dashes = {arm: DASHES[place // len(COLOURS) % len(DASHES)] for place, arm in enumerate(arms)}
    return {arm: Key(arm, found[arm], dashes[arm] if dashed else "solid", width) for arm in arms if arm in set(shown)}
