"""From a study's results to the files of its report."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from studyhub.catalog import METRICS
from studyhub.report import contents, cost, effects, figures, methods, parameters, provenance, scored, searching, split, surface, untrained
from studyhub.report.answer import answer
from studyhub.report.collect import Results, Run, collect
from studyhub.report.drawing.boundaries import read_boundaries
from studyhub.report.drawing.ground import Lines, behind
from studyhub.report.drawn import Drawing
from studyhub.report.files import write
from studyhub.report.page import Page, Section
from studyhub.stats.compare import compare, explore
from studyhub.stats.summary import per_basin
from studyhub.study.store import Store


def report(store: Store, name: str, out: Path, boundaries: Path | None = None) -> Path:
    """Write the report of a study as far as it is and return the page's path; a GeoJSON file's ``boundaries`` are drawn behind maps.

    Raises
    ------
    StudyhubError
        There is no such study, its files cannot be read, or ``out`` cannot be written.
    """
    lines = read_boundaries(boundaries) if boundaries else ()
    return write(compose(collect(store, name), lines), out)


def compose(results: Results, boundaries: Lines = ()) -> Page:
    """Put a study's results into sections; ``boundaries`` are drawn behind its maps."""
    with behind(boundaries):
        return _compose(results, boundaries)


def _compose(results: Results, boundaries: Lines) -> Page:
    comparisons = compare(results.scores, effects.declared(results))
    explored = explore(results.scores, effects.others(results)) if results.scored_arms else []
    means = per_basin(results.scores, list(METRICS))
    drawn = Drawing(results, means, comparisons)
    sections = (
        effects.section(results, comparisons, explored),
        _compared(results),
        _unfinished(results),
        scored.section(results, means),
        drawn.distributions(),
        drawn.maps(),
        drawn.explore(boundaries),
        drawn.hydrographs(),
        untrained.section(results, means),
        parameters.section(results),
        surface.section(results),
        cost.section(results, means),
        searching.section(results),
        effects.exploratory(explored),
        split.section(results),
        methods.section(results, comparisons, explored),
        provenance.section(results),
    )
    return Page(
        kind="report",
        name=results.spec.name,
        title=results.spec.question,
        running=any(run.state == "running" for run in results.runs),
        answer=answer(results, comparisons),
        made=made(results.runs),
        sections=tuple(section for section in sections if not section.empty),
        colours=figures.colours(results.arms),
    )


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
