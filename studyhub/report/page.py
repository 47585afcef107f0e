"""The page: sections of tables, figures and charts, put into HTML that needs nothing from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from studyhub.report.answer import Answer
from studyhub.report.beside import Later, all_of
from studyhub.report.document import Document
from studyhub.report.downloads import File, files, links
from studyhub.report.drawing.svg import themed
from studyhub.report.figures import Figure
from studyhub.report.interactive.chart import Interactive
from studyhub.report.interactive.script import json_block, policy, scripts
from studyhub.report.tables import Table

Drawn = Figure | Sequence[Figure] | None

LONG = 18  # characters from which a cell may break into lines


@dataclass(frozen=True)
class Section:
    """A part of the page. ``folded`` tables, and a ``text``, are shown when they are asked for; ``files`` are only to be downloaded.

    ``drawings`` become figures once `with_figures` has made them; a drawing may turn out to be of nothing, or of several figures.
    """

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
    drawings: tuple[Later[Drawn], ...] = ()

    @property
    def empty(self) -> bool:
        shown = (self.tables, self.figures, self.folded, self.files, self.interactive, self.notes, self.documents, self.text, self.drawings)
        return not any(shown)


def with_figures(sections: Sequence[Section]) -> list[Section]:
    """The same sections with all their drawings made."""
    made = iter(all_of([drawing for section in sections for drawing in section.drawings]))
    found = []
    for section in sections:
        figures = [figure for _ in section.drawings for figure in _figures(next(made))]
        found.append(replace(section, figures=(*section.figures, *figures), drawings=()))
    return found


def _figures(drawn: Drawn) -> Sequence[Figure]:
    return [] if drawn is None else [drawn] if isinstance(drawn, Figure) else drawn


@dataclass(frozen=True)
class Page:
    """A page about one thing.

    Parameters
    ----------
    kind : "report" of a study, or "data"
    name : of what it is about
    title : its heading, the question of a study
    answer : what stands below the heading
    made : when; empty where that says nothing
    running : whether more is to come
    colours : arm -> its colour
    """

    kind: str
    name: str
    title: str
    answer: Answer
    sections: tuple[Section, ...]
    made: str = ""
    running: bool = False
    colours: Mapping[str, str] = field(default_factory=dict)

    def tables(self) -> list[Table]:
        return [table for section in self.sections for table in (*section.tables, *section.folded, *section.files)]

    def figures(self) -> list[Figure]:
        return [figure for section in self.sections for figure in section.figures]

    def interactive(self) -> list[Interactive]:
        return [chart for section in self.sections for chart in section.interactive]

    def documents(self) -> list[Document]:
        return [document for section in self.sections for document in section.documents]

    def files(self) -> dict[str, list[File]]:
        """Files of every table ("table-" and its name), figure and chart ("figure-" and its name), and text ("document-" and its name)."""
        drawn = {f"figure-{part.name}": files(part) for part in (*self.figures(), *self.interactive())}
        written = {f"document-{document.name}": files(document) for document in self.documents()}
        return {f"table-{table.name}": files(table) for table in self.tables()} | drawn | written


def html(page: Page, found: Mapping[str, list[File]] | None = None) -> str:
    """The whole page: style, scripts, figures and data inside, nothing to fetch; what is too large stands beside it.

    Parameters
    ----------
    found : what ``page.files()`` gives, where that is known already
    """
    environment = Environment(loader=PackageLoader("studyhub.report"), autoescape=True, undefined=StrictUndefined)
    style = environment.loader.get_source(environment, "style.css")[0]  # pyright: ignore[reportOptionalMemberAccess]
    shown = _Shown(page.colours, dict(links(dict(found or page.files()))))
    content = vars(page) | {"sections": [shown.section(section) for section in page.sections if not section.empty]}
    run = scripts(page.interactive())
    template = environment.get_template("page.html")
    return template.render(page=content, style=Markup(style), policy=policy(run), scripts=[Markup(text) for text in run]) + "\n"


@dataclass(frozen=True)
class _Shown:
    """Turns what is on a page into what its template takes."""

    colours: Mapping[str, str]
    links: Mapping[str, list[dict[str, str]]]

    def section(self, section: Section) -> dict[str, Any]:
        return vars(section) | {
            "tables": [self._table(table) for table in section.tables],
            "folded": [self._table(table) for table in section.folded],
            "figures": [self._figure(figure) for figure in section.figures],
            "interactive": [self._chart(chart) for chart in section.interactive],
            "documents": [vars(text) | {"links": self.links[f"document-{text.name}"]} for text in section.documents],
            "downloads": [self._download(table) for table in section.files],
        }

    def _table(self, table: Table) -> dict[str, Any]:
        numbers = [column.key if column.numeric else None for column in table.shown]
        raw = table.data.iloc[: table.most].to_dict("records")
        rows = [
            [self._cell(table, i, j, text, record.get(numbers[j])) for j, text in enumerate(row)]
            for i, (row, record) in enumerate(zip(table.rows(), raw, strict=True))
        ]
        shown = {"name": table.name, "title": table.title, "caption": table.told, "columns": table.shown, "rows": rows}
        return shown | {"links": self.links[f"table-{table.name}"]}

    def _cell(self, table: Table, row: int, place: int, text: str, value: Any) -> dict[str, str]:
        column = table.shown[place]
        marks = {"number": column.numeric, "best": (row, column.key) in table.best, "long": len(text) > LONG}
        colour = self.colours.get(text, "") if place == 0 and column.key == "arm" else ""
        sorted_by = f"{value:.6g}" if isinstance(value, int | float) and value == value else ""
        return {"text": text, "classes": " ".join(name for name, on in marks.items() if on), "colour": colour, "value": sorted_by}

    def _figure(self, figure: Figure) -> dict[str, Any]:
        # The drawing is made by us from escaped text: see figures.
        shown = {"name": figure.name, "title": figure.title, "caption": figure.caption, "svg": Markup(themed(figure.svg))}
        return shown | {"links": self.links[f"figure-{figure.name}"]}

    def _chart(self, chart: Interactive) -> dict[str, Any]:
        shown = {"name": chart.name, "title": chart.title, "caption": chart.caption, "driver": chart.driver}
        return shown | {"given": Markup(json_block(chart)), "links": self.links[f"figure-{chart.name}"]}

    def _download(self, table: Table) -> dict[str, str]:
        link = self.links[f"table-{table.name}"][0]
        return link | {"label": f"{table.title} ({link['label']})"}
