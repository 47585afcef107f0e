"""Tables of a report: numbers as data, and how they are shown in HTML, CSV and LaTeX."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from studyhub.stats import wording

NOTHING = "–"

Format = Callable[[Any], str]


def text(value: Any) -> str:
    return NOTHING if _missing(value) else str(value)


def decimals(places: int) -> Format:
    """Numbers with so many decimals.

    >>> decimals(2)(-0.123)
    '−0.12'
    """

    def show(value: Any) -> str:
        if _missing(value):
            return NOTHING
        shown = f"{float(value):.{places}f}"
        return _minus("0" + shown[2:] if float(shown) == 0 and shown.startswith("-") else shown)

    return show


def significant(digits: int) -> Format:
    """Numbers with so many significant digits, without exponents.

    >>> significant(3)(1234.5), significant(3)(0.012345)
    ('1234', '0.0123')
    """

    def show(value: Any) -> str:
        if _missing(value):
            return NOTHING
        number = float(value)
        places = 0 if number == 0 or not math.isfinite(number) else max(digits - 1 - math.floor(math.log10(abs(number))), 0)
        return _minus(f"{number:.{places}f}")

    return show


def probability(value: Any) -> str:
    """P values, as in the report's sentences."""
    return NOTHING if _missing(value) else wording.probability(value)


def whole(value: Any) -> str:
    return NOTHING if _missing(value) else f"{int(value):,}".replace(",", "\u202f")


@dataclass(frozen=True)
class Column:
    """A column: its key in the data, its heading with the unit, and how its values are shown.

    ``place`` says where it stands: everywhere, or only on the "page" (and in LaTeX), or only in the "data" (CSV).
    """

    key: str
    heading: str
    unit: str = ""
    show: Format = text
    place: Literal["", "page", "data"] = ""

    @property
    def numeric(self) -> bool:
        return self.show is not text

    @property
    def title(self) -> str:
        return f"{self.heading}, {self.unit}" if self.unit else self.heading


@dataclass(frozen=True)
class Table:
    """A table: ``data`` holds the numbers as they are, ``best`` marks (row, key) cells to set in bold.

    Of a long table the page shows the first ``most`` rows; its CSV has all.
    """

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    data: pd.DataFrame
    best: frozenset[tuple[int, str]] = field(default=frozenset())
    most: int | None = None

    @property
    def shown(self) -> tuple[Column, ...]:
        """Columns of the page."""
        return tuple(column for column in self.columns if column.place != "data")

    @property
    def told(self) -> str:
        """The caption, which says so where there are more rows than are shown."""
        if self.most is None or len(self.data) <= self.most:
            return self.caption
        return f"{self.caption} Shown are the first {self.most} of {len(self.data)} rows; the CSV has all."

    def rows(self) -> list[list[str]]:
        """Every cell as it is shown."""
        records = self.data.iloc[: self.most].to_dict("records")
        return [[column.show(record[column.key]) for column in self.shown] for record in records]

    def csv(self) -> str:
        """Numbers in full precision under plain names, with the unit where there is one."""
        columns = [column for column in self.columns if column.place != "page"]
        names = {column.key: f"{column.key} [{column.unit}]" if column.unit else column.key for column in columns}
        return self.data.filter(list(names)).rename(names, axis="columns").to_csv(index=False, lineterminator="\n")

    def latex(self) -> str:
        """A ``tabular`` in booktabs style, as it is shown."""
        shown = pd.DataFrame(self.rows(), columns=[column.title for column in self.shown])
        marked = shown.map(tex)
        for row, key in self.best:
            place = [column.key for column in self.shown].index(key)
            marked.iat[row, place] = rf"\textbf{{{marked.iat[row, place]}}}"
        marked.columns = [tex(title) for title in shown.columns]
        layout = "".join("r" if column.numeric else "l" for column in self.shown)
        lines = [" & ".join(row) + r" \\" for row in (list(marked.columns), *marked.to_numpy().tolist())]
        caption = "".join(f"% {line}\n" for line in f"{self.title}. {self.told}".splitlines())
        body = "\n".join([rf"\begin{{tabular}}{{{layout}}}", r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"])
        return f"{caption}{body}\n\\end{{tabular}}\n"


_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "−": "$-$",
    "–": "--",
    "→": r"$\to$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "\u202f": r"\,",
    "\u00a0": "~",
    "…": r"\ldots{}",
    "\n": " ",
}


def tex(value: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in value)


def best(data: pd.DataFrame, directions: Mapping[str, str]) -> frozenset[tuple[int, str]]:
    """Cells with the best value of their column; none where fewer than two rows have a value.

    Parameters
    ----------
    directions : column -> "larger" or "smaller", what is better
    """
    marks = set()
    for key, direction in directions.items():
        values = data[key].to_numpy(dtype="float64")
        if np.count_nonzero(~np.isnan(values)) < 2:
            continue
        top = np.nanmax(values) if direction == "larger" else np.nanmin(values)
        marks |= {(row, key) for row, value in enumerate(values) if value == top}
    return frozenset(marks)


def frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> pd.DataFrame:
    """Rows as a table with these columns, in their order, even where there is no row."""
    return pd.DataFrame(list(rows), columns=[column.key for column in columns])


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NaT


def _minus(shown: str) -> str:
    return shown.replace("-", "−")
