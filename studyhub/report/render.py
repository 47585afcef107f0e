"""From a study's results to the files of its report."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from studyhub.catalog import METRICS
from studyhub.report import (
    contents,
    cost,
    effects,
    figures,
    methods,
    parameters,
    provenance,
    scored,
    searching,
    several,
    split,
    strata,
    surface,
    untrained,
)
from studyhub.report.answer import answer
from studyhub.report.beside import steady
from studyhub.report.collect import Results, Run, collect
from studyhub.report.drawing.boundaries import read_boundaries
from studyhub.report.drawn import Drawing
from studyhub.report.files import write
from studyhub.report.page import Page, Section, with_figures
from studyhub.report.several import join
from studyhub.stats.compare import Comparison, compare, explore
from studyhub.stats.places import Places
from studyhub.stats.summary import per_basin
from studyhub.study.store import Store


def report(store: Store, name: str, out: Path, boundaries: Path | None = None) -> Path:
    """Write the report of a study as far as it is and return the page's path; a GeoJSON file's ``boundaries`` are drawn behind maps.

    Raises
    ------
    StudyhubError
        There is no such study, its files cannot be read, or ``out`` cannot be written.
    """
    return report_together([(store, name)], out, boundaries)


@steady()
def report_together(studies: Sequence[tuple[Store, str]], out: Path, boundaries: Path | None = None) -> Path:
    """Write one report of several studies, each given by its store and its name; of one alone it is that study's own."""
    lines = read_boundaries(boundaries) if boundaries else ()
    found = [replace(collect(store, name), boundaries=lines) for store, name in studies]
    return write(compose(found[0]) if len(found) == 1 else together(found), out)


@steady()
def compose(results: Results) -> Page:
    """Put a study's results into sections."""
    places = Places(results.basins)
    comparisons = compare(results.scores, effects.declared(results), places=places, margin=results.spec.margin)
    return _page(results, comparisons, (results,), _sections(results, places, comparisons, (results,)))


@steady()
def together(studies: Sequence[Results]) -> Page:
    """Put the results of several studies into sections; the claims of each are tested on its own trials."""
    joined = join(studies)
    wholes = [part.whole for part in joined.parts]
    comparisons = [
        c for whole in wholes for c in compare(whole.scores, effects.declared(whole), places=whole.basins, margin=whole.spec.margin)
    ]
    sections = (several.section(joined), *_sections(joined, Places(joined.basins), comparisons, wholes))
    return _page(joined, comparisons, wholes, sections)


def _sections(results: Results, places: Places, comparisons: Sequence[Comparison], studies: Sequence[Results]) -> tuple[Section, ...]:
    """Sections from what matters most to what made it.

    Parameters
    ----------
    places : of the basins
    studies : those that the results are of: one, or several
    """
    across = len(studies) > 1
    others = effects.others(results, across=across) if results.scored_arms else []
    asked = effects.affordable(others, len(set(results.scores["basin"])))
    explored = explore(results.scores, asked, places=places, margin=results.spec.margin)
    means = per_basin(results.scores, list(METRICS))
    drawing = Drawing(results, means, comparisons)
    return (
        effects.section(results, comparisons, explored, len(others) - len(asked)),
        _compared(results),
        _unfinished(results),
        scored.section(results, means),
        drawing.distributions(),
        strata.section(results, drawing),
        drawing.maps(),
        drawing.explore(),
        drawing.hydrographs(),
        untrained.section(results, means),
        parameters.section(results),
        surface.section(results),
        cost.section(results, means),
        searching.section(results),
        *_numbered([split.section(study) for study in studies], [study.spec.name for study in studies]),
        methods.section(studies, comparisons, explored),
        provenance.section(results, studies),
    )


def _page(results: Results, comparisons: Sequence[Comparison], studies: Sequence[Results], sections: Sequence[Section]) -> Page:
    return Page(
        kind="report",
        name=results.spec.name,
        title=results.spec.question,
        running=any(run.state == "running" for study in studies for run in study.runs),
        answer=answer(results, comparisons),
        made=made(results.runs),
        sections=tuple(section for section in with_figures(sections) if not section.empty),
        colours=figures.colours(results.arms),
    )


def _numbered(sections: Sequence[Section], names: Sequence[str]) -> list[Section]:
    """Sections of one kind, of several studies, made to stand on one page."""
    if len(sections) == 1:
        return list(sections)
    return [
        replace(
            section,
            name=f"{section.name}_{number}",
            title=f"{section.title} of {name}",
            tables=tuple(replace(table, name=f"{table.name}_{number}") for table in section.tables),
            figures=tuple(figure.named(f"{figure.name}_{number}") for figure in section.figures),
        )
        for number, (section, name) in enumerate(zip(with_figures(sections), names, strict=True), 1)
    ]


def made(runs: Iterable[Run]) -> str:
    """When the newest result was made, so that the same results give the same page whenever it is written."""
    ends = [end for run in runs if (end := _end(run)) is not None]
    return f"{max(ends):%Y-%m-%d %H:%M} UTC" if ends else "before any result"


def _end(run: Run) -> datetime | None:
    try:
        begun = datetime.fromisoformat(str(run.result["begun"]))
    except (KeyError, ValueError):
        return None
    return begun + timedelta(seconds=float(run.result.get("seconds") or 0.0))


def _compared(results: Results) -> Section:
    searched = (searching.searched(results),) if results.searches else ()
    return Section("arms", "What was compared", (contents.arms(results), *searched))


def _unfinished(results: Results) -> Section:
    table = contents.troubles(results)
    return Section("unfinished", "Not finished", (table,) if len(table.data) else ())
