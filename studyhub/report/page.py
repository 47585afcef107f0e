"""The page: sections of tables and figures, put into HTML that needs nothing from outside."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from studyhub.report.answer import Answer
from studyhub.report.figures import Figure
from studyhub.report.interactive.chart import Interactive
from studyhub.report.tables import Table

LONG = 18  # characters from which a cell may break into lines


@dataclass(frozen=True)
class Document:
    """A text to be read, copied and taken along: ``paragraphs`` as they stand in the page, ``forms`` by ending ("txt", "md", "tex")."""

    name: str
    title: str
    paragraphs: tuple[str, ...]
    forms: Mapping[str, str]


@dataclass(frozen=True)
class Section:
    """A part of the page. ``folded`` tables, and a ``text``, are shown when they are asked for; ``files`` are only to be downloaded."""

    name: str
    title: str
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    folded: tuple[Table, ...] = ()
    files: tuple[Table, ...] = ()
    interactive: tuple[Interactive, ...] = ()
    notes: tuple[str, ...] = ()
    documents: tuple[Document, ...] = ()
    text_title: str = ""
    text: str = ""

    @property
    def empty(self) -> bool:
        shown = (self.tables, self.figures, self.folded, self.files, self.interactive, self.notes, self.documents, self.text)
        return not any(shown)


@dataclass(frozen=True)
class Page:
    """A page about one thing.

    Parameters
    ----------
    kind : "report" of a study, or "data"
    name : of what it is about
    title : its heading, the question of a study
    answer : what stands below the heading
    made : when
    running : whether more is to come
    colours : arm -> its colour
    """

    kind: str
    name: str
    title: str
    answer: Answer
    made: str
    sections: tuple[Section, ...]
    running: bool = False
    colours: Mapping[str, str] = field(default_factory=dict)

    def tables(self) -> list[Table]:
        return [table for section in self.sections for table in (*section.tables, *section.folded, *section.files)]

    def figures(self) -> list[Figure]:
        return [figure for section in self.sections for figure in section.figures]

    def documents(self) -> list[Document]:
        return [document for section in self.sections for document in section.documents]


def html(page: Page) -> str:
    """The whole page: style, figures and data inside, no script, nothing to fetch."""
    environment = Environment(loader=PackageLoader("studyhub.report"), autoescape=True, undefined=StrictUndefined)
    style = environment.loader.get_source(environment, "style.css")[0]  # pyright: ignore[reportOptionalMemberAccess]
    shown = [_section(section, page.colours) for section in page.sections if not section.empty]
    content = vars(page) | {"sections": shown}
    return environment.get_template("page.html").render(page=content, style=Markup(style)) + "\n"


def _section(section: Section, colours: Mapping[str, str]) -> dict[str, Any]:
    return vars(section) | {
        "tables": [_table(table, colours) for table in section.tables],
        "folded": [_table(table, colours) for table in section.folded],
        "figures": [_figure(figure) for figure in section.figures],
        "documents": [vars(document) | {"links": _forms(document)} for document in section.documents],
        "downloads": [_link(f"{table.title} (CSV)", f"{table.name}.csv", "text/csv", table.csv()) for table in section.files],
    }


def _table(table: Table, colours: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": table.name,
        "title": table.title,
        "caption": table.told,
        "columns": table.shown,
        "rows": [[_cell(table, i, j, text, colours) for j, text in enumerate(row)] for i, row in enumerate(table.rows())],
        "links": [
            _link("CSV", f"{table.name}.csv", "text/csv", table.csv()),
            _link("LaTeX", f"{table.name}.tex", "text/x-tex", table.latex()),
        ],
    }


def _cell(table: Table, row: int, place: int, text: str, colours: Mapping[str, str]) -> dict[str, str]:
    column = table.shown[place]
    marks = {"number": column.numeric, "best": (row, column.key) in table.best, "long": len(text) > LONG}
    colour = colours.get(text, "") if place == 0 and column.key == "arm" else ""
    return {"text": text, "classes": " ".join(name for name, on in marks.items() if on), "colour": colour}


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "title": figure.title,
        "caption": figure.caption,
        "svg": Markup(figure.svg),  # made by us from escaped text: see figures
        "links": [
            _link("SVG", f"{figure.name}.svg", "image/svg+xml", figure.svg),
            _link("data (CSV)", f"{figure.name}.csv", "text/csv", csv(figure)),
        ],
    }


def _forms(document: Document) -> list[dict[str, str]]:
    kinds = {"txt": ("text", "text/plain"), "md": ("Markdown", "text/markdown"), "tex": ("LaTeX", "text/x-tex")}
    return [_link(kinds[ending][0], f"{document.name}.{ending}", kinds[ending][1], text) for ending, text in document.forms.items()]


def csv(figure: Figure) -> str:
    """What a figure shows, to six significant digits: more than an eye can tell, at a third of the size."""
    return figure.data.to_csv(index=False, lineterminator="\n", float_format="%.6g")


def _link(label: str, file: str, kind: str, content: str) -> dict[str, str]:
    data = base64.b64encode(content.encode()).decode()
    return {"label": label, "file": file, "href": f"data:{kind};charset=utf-8;base64,{data}"}
