"""What a page can be asked for: its tables, figures, charts and texts as files, small ones inside the page, large ones beside it."""

import base64
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from studyhub.report.document import Document
from studyhub.report.figures import Figure
from studyhub.report.interactive.chart import Interactive
from studyhub.report.tables import Table

CELLS = 1_000_000  # of a table, above which it is written as Parquet and not as CSV: a fifth of the size, and read at once
INSIDE = 256_000  # bytes, largest file that the page holds itself
TOGETHER = 1_000_000  # bytes of all files that the page holds itself
TYPESET = 2_000  # rows of a table, above which it is not written in LaTeX: nobody prints that many
KINDS = {"csv": "text/csv", "tex": "text/x-tex", "svg": "image/svg+xml", "txt": "text/plain", "md": "text/markdown"}
FORMS = {"txt": "text", "md": "Markdown", "tex": "LaTeX"}

Part = Table | Figure | Interactive | Document


@dataclass(frozen=True)
class File:
    """A file beside the page: ``path`` from there."""

    label: str
    path: str
    content: str | bytes


def files(part: Part) -> list[File]:
    """Every file of a table, a figure, a chart or a text."""
    match part:
        case Table():
            short = len(part.data.iloc[: part.most]) <= TYPESET
            return [_table(part), *([File("LaTeX", f"tables/{part.name}.tex", part.latex())] if short else [])]
        case Figure():
            return [File("SVG", f"figures/{part.name}.svg", part.svg), _data(part.name, part.data)]
        case Interactive():
            return [_data(part.name, part.data)]
        case Document():
            return [File(FORMS[ending], f"texts/{part.name}.{ending}", text) for ending, text in part.forms.items()]


def links(parts: Mapping[str, list[File]]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Links to the files of each part: data of the small ones, and the places of those that would make the page too large."""
    sizes = {file.path: len(file.content) for found in parts.values() for file in found if isinstance(file.content, str)}
    inside, total = set(), 0
    for path, size in sorted(sizes.items(), key=lambda item: (item[1], item[0])):
        total += size
        if size <= INSIDE and total <= TOGETHER:
            inside.add(path)
    for name, found in parts.items():
        yield name, [{"label": file.label, "file": file.path.rpartition("/")[2], "href": _address(file, inside)} for file in found]


def _address(file: File, inside: set[str]) -> str:
    if file.path not in inside or not isinstance(file.content, str):
        return file.path
    kind = KINDS[file.path.rpartition(".")[2]]
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(file.content.encode()).decode()}"


def csv(data: pd.DataFrame) -> str:
    """What a figure shows, to six significant digits: more than an eye can tell, at a third of the size."""
    floats = data.select_dtypes("float")
    known = {name: floats[name].to_numpy("float64", na_value=np.nan).tolist() for name in floats}
    written = {name: ["" if value != value else f"{value:.6g}" for value in values] for name, values in known.items()}  # NaN is empty
    return data.assign(**written).to_csv(index=False, lineterminator="\n")


def _table(table: Table) -> File:
    if table.data.size <= CELLS:
        return File("CSV", f"tables/{table.name}.csv", table.csv())
    return File("Parquet", f"tables/{table.name}.parquet", _parquet(table.data))


def _data(name: str, data: pd.DataFrame) -> File:
    if data.size <= CELLS:
        return File("data (CSV)", f"figures/{name}.csv", csv(data))
    return File("data (Parquet)", f"figures/{name}.parquet", _parquet(data))


def _parquet(data: pd.DataFrame) -> bytes:
    written = io.BytesIO()
    data.to_parquet(written, index=False, compression="zstd")
    return written.getvalue()
