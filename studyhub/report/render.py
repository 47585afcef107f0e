"""From a study's results to the files of its report."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import pandas as pd

from studyhub.catalog import METRICS
from studyhub.report import claims, contents, figures, split
from studyhub.report.answer import answer
from studyhub.report.collect import Results, collect
from studyhub.report.figures import Figure
from studyhub.report.files import write
from studyhub.report.page import Page, Section
from studyhub.report.places import Place, places, shown_days
from studyhub.stats.compare import Comparison, Question, compare, explore
from studyhub.stats.signed_rank import Alternative
from studyhub.stats.summary import judged, per_basin
from studyhub.study.store import Store, settings_hash

DRAWN = ("nse", "kge")  # metrics whose distribution over basins is drawn
LEADING = "kge"  # what maps and hydrographs go by where no claim names a metric
ALL_PAIRS = 6  # arms up to which every pair is explored where no claim is declared
MAPPED_CLAIMS = 3


def report(store: Store, name: str, out: Path) -> Path:
    """Write the report of a study as far as it is and return the page's path.

    Raises
    ------
    StudyhubError
        There is no such study, its files cannot be read, or ``out`` cannot be written.
    """
    return write(compose(collect(store, name)), out)


def compose(results: Results) -> Page:
    """Put a study's results into sections."""
    comparisons = compare(results.scores, [question(c.better, c.than, c.metric, "greater") for c in results.spec.compare])
    means = per_basin(results.scores, list(METRICS))
    return Page(
        kind="report",
        name=results.spec.name,
        title=results.spec.question,
        running=any(run.state == "running" for run in results.runs),
        answer=answer(results, comparisons),
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        sections=tuple(section for section in _sections(results, means, comparisons) if not section.empty),
        colours=figures.colours(results.arms),
    )


def _sections(results: Results, means: pd.DataFrame, comparisons: Sequence[Comparison]) -> list[Section]:
    scored = bool(results.scored_arms)
    drawn = _Drawing(results, means)
    dropped = claims.dropped(comparisons)
    others = explore(results.scores, _others(results)) if scored else []
    spread, by_fold = split.scores(results)
    unfinished, unscored = contents.troubles(results), contents.unscored(results)
    return [
        Section(
            "claims",
            "Claims",
            (claims.claims(results, comparisons),) if comparisons else (),
            folded=(dropped,) if len(dropped.data) else (),
        ),
        Section("arms", "What was compared", (contents.arms(results), *((contents.searched(results),) if results.searches else ()))),
        split.section(results),
        Section("unfinished", "Not finished", (unfinished,) if len(unfinished.data) else ()),
        Section(
            "scores",
            "Scores",
            (*contents.scores(results), *spread) if scored else (),
            folded=(*by_fold, *((unscored,) if len(unscored.data) else ())),
            files=(contents.per_basin(results, means),) if scored else (),
        ),
        Section("distributions", "Over basins", figures=drawn.distributions() if scored else ()),
        Section("maps", "Maps", figures=drawn.maps(comparisons) if scored else (), notes=drawn.missing_places() if scored else ()),
        Section("hydrographs", "Hydrographs", figures=drawn.hydrographs(comparisons) if scored else (), notes=drawn.missing_days()),
        Section("cost", "Cost and convergence", (contents.cost(results),)),
        Section("learning", "Learning", figures=drawn.learning()),
        Section("exploratory", "Not declared", folded=(claims.exploratory(others),) if others else ()),
        _provenance(results),
    ]


def _provenance(results: Results) -> Section:
    source, content = results.data.get("source", "unknown"), results.data.get("hash", "unknown")
    return Section(
        "provenance",
        "Provenance",
        folded=(contents.trials(results), contents.versions(results)),
        notes=(f"Study file (with all defaults): hash {settings_hash(results.text)}. Data: {source}, content hash {content}.",),
        text_title="Study file",
        text=results.text,
    )


def question(better: str, than: str, metric: str, alternative: Alternative) -> Question:
    return Question(better, than, metric, METRICS[metric].direction, alternative)


def _others(results: Results) -> list[Question]:
    """What no claim has said: the claimed pairs in all other metrics, or else pairs of arms; each pair once, whichever arm is named first.

    The absolute FLV and FHV stand for the plain ones, which would ask nearly the same.
    """
    arms, declared = results.scored_arms, results.spec.compare
    if declared:
        found = [(claim.better, claim.than) for claim in declared]
    else:
        found = list(combinations(arms, 2)) if len(arms) <= ALL_PAIRS else [(arm, arms[0]) for arm in arms[1:]]
    pairs = {frozenset(pair): pair for pair in reversed(found)}
    said = {(frozenset((claim.better, claim.than)), claim.metric) for claim in declared}
    metrics = [name for name, metric in METRICS.items() if metric.direction != "zero"]
    return [question(*pair, m, "two-sided") for key, pair in reversed(pairs.items()) for m in metrics if (key, m) not in said]


class _Drawing:
    """The figures of one report; all are given all arms, so that an arm has one colour throughout."""

    def __init__(self, results: Results, means: pd.DataFrame):
        self.results, self.arms = results, results.arms
        self.flat = means.reset_index()
        self.judged = per_basin(judged(results.scores), list(METRICS))

    def distributions(self) -> tuple[Figure, ...]:
        drawn = [figures.ecdf(self.flat, self.arms, metric) for metric in DRAWN]
        drawn += [figures.boxes(self.flat, self.results.basins, self.arms, metric) for metric in DRAWN]
        return _there(drawn)

    def maps(self, comparisons: Sequence[Comparison]) -> tuple[Figure, ...]:
        """Scores of the arms of the first claim, and the differences of the first few claims; without claims of the first two arms."""
        basins, arms = self.results.basins, self.results.scored_arms
        told = [c for c in comparisons if c.n][:MAPPED_CLAIMS]
        pairs = [(c.better, c.than, c.metric) for c in told] or [(arms[1], arms[0], LEADING)] if len(arms) > 1 else []
        metric = pairs[0][2] if pairs else LEADING
        of = list(dict.fromkeys(pairs[0][:2])) if pairs else arms[:1]
        shown = self.flat.loc[self.flat["arm"].isin(of)]
        drawn = [figures.score_map(shown, basins, arm, metric) for arm in of]
        drawn += [figures.difference_map(self.judged.reset_index(), basins, *pair) for pair in pairs]
        return _there(drawn)

    def missing_places(self) -> tuple[str, ...]:
        """Say why there is no map."""
        placed = self.results.basins.dropna(subset=["lat", "lon"])["basin"]
        missing = sorted(set(self.flat["basin"]) - set(placed))
        if not missing:
            return ()
        return (f"Coordinates are known of {len(set(self.flat['basin'])) - len(missing)} basins; {len(missing)} are on no map.",)

    def hydrographs(self, comparisons: Sequence[Comparison]) -> tuple[Figure, ...]:
        first = next((c for c in comparisons if c.n), None)
        chosen = places(self.judged, self.results.scored_arms, first.metric if first else LEADING)
        simulation = self.results.simulation(place.basin for place in chosen)
        there = set(simulation["basin"])
        return _there([self._hydrograph(simulation, place) for place in chosen if place.basin in there])

    def missing_days(self) -> tuple[str, ...]:
        """Say which simulated days are not here."""
        lacking = [run for run in self.results.runs if run.state == "finished" and not run.has_days]
        if not lacking:
            return ()
        return (f"Of {len(lacking)} finished trials the simulated days are not here: an archive holds them where it was asked to.",)

    def _hydrograph(self, simulation: pd.DataFrame, place: Place) -> Figure:
        days = shown_days(simulation, place.basin, self.results.spec.split.test)
        there = simulation["date"].between(pd.Timestamp(days.start), pd.Timestamp(days.end)) & (simulation["basin"] == place.basin)
        shown = simulation.loc[there]
        figure = figures.hydrograph(shown.drop(columns="seed"), self.arms, place.basin, place.name, place.title)
        seeds = shown.groupby("seed", sort=False)["arm"].agg(lambda arms: ", ".join(dict.fromkeys(arms))).to_dict()
        which = "; ".join(f"seed {seed}: {arms}" if len(seeds) > 1 else f"seed {seed}" for seed, arms in seeds.items())
        return replace(figure, caption=f"{figure.caption} One training of each arm ({which}).")

    def learning(self) -> tuple[Figure, ...]:
        epochs = self.results.epochs()
        return tuple(figures.learning_curves(epochs, self.results.arms)) if len(epochs) else ()


def _there(drawn: Sequence[Figure | None]) -> tuple[Figure, ...]:
    return tuple(figure for figure in drawn if figure is not None)
