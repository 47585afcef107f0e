"""Sections of figures: scores over basins, on maps, and days of chosen basins."""

from collections.abc import Sequence

import pandas as pd

from studyhub.report import figures
from studyhub.report.beside import Later
from studyhub.report.collect import Results
from studyhub.report.contents import MAIN
from studyhub.report.interactive.explorer import explorer
from studyhub.report.interactive.hydrographs import MOST_ARMS, basins_to_show, hydrographs
from studyhub.report.page import Section
from studyhub.report.places import Place, places, shown_days
from studyhub.stats.compare import Comparison
from studyhub.stats.summary import judged, per_basin

DRAWN = ("nse", "kge")  # metrics whose distribution over basins is drawn
LEADING = "kge"  # what maps and hydrographs go by where no claim names a metric
MAPPED_CLAIMS = 3


class Drawing:
    """The figures of one report; all are given all arms, so that an arm has one colour throughout.

    Parameters
    ----------
    means : scores of each arm and basin, means over folds and seeds, as `stats.summary.per_basin` gives them
    comparisons : of the study's claims
    """

    def __init__(self, results: Results, means: pd.DataFrame, comparisons: Sequence[Comparison]):
        self.results, self.arms = results, results.arms
        self.told = [c for c in comparisons if c.n]
        self.flat = means.reset_index()
        wanted = dict.fromkeys((*MAIN, *(c.metric for c in self.told)))
        self.judged = per_basin(judged(results.scores), list(wanted))

    @property
    def leading(self) -> str:
        """Metric of the first claim that could be tested."""
        return self.told[0].metric if self.told else LEADING

    @property
    def pairs(self) -> list[tuple[str, str, str]]:
        """Arms and metric of the first few claims; without claims the first two arms."""
        arms = self.results.comparable()[0]
        claimed = [(c.better, c.than, c.metric) for c in self.told[:MAPPED_CLAIMS]]
        return claimed or ([(arms[1], arms[0], LEADING)] if len(arms) > 1 else [])

    def distributions(self) -> Section:
        drawn = [Later(figures.ecdf, self.flat, self.arms, metric) for metric in dict.fromkeys((*DRAWN, self.leading))]
        return Section("distributions", "Over basins", drawings=tuple(drawn) if len(self.flat) else ())

    def maps(self) -> Section:
        """Scores of the arms of the first claim, and the differences of the first few claims."""
        if self.flat.empty:
            return Section("maps", "Maps")
        basins, pairs, lines = self.results.basins, self.pairs, self.results.boundaries
        of = list(dict.fromkeys(pairs[0][:2])) if pairs else self.results.scored_arms[:1]
        shown = self.flat.loc[self.flat["arm"].isin(of)]
        drawn = [Later(figures.score_map, shown, basins, arm, pairs[0][2] if pairs else LEADING, lines) for arm in of]
        judged = self.judged.reset_index()
        drawn += [Later(figures.difference_map, judged, basins, *pair, lines) for pair in pairs]
        return Section("maps", "Maps", drawings=tuple(drawn), notes=self._missing_places())

    def _missing_places(self) -> tuple[str, ...]:
        """Say why there is no map."""
        placed = self.results.basins.dropna(subset=["lat", "lon"])["basin"]
        every = set(self.flat["basin"])
        missing = every - set(placed)
        if not missing:
            return ()
        return (f"Coordinates are known of {len(every) - len(missing)} basins; {len(missing)} are on no map.",)

    def hydrographs(self) -> Section:
        chosen = places(self.judged, self.results.comparable()[0], self.leading) if len(self.flat) else []
        titles = self._more({place.basin: place.title for place in chosen})
        begin = self.pairs[0][:2] if self.pairs else self.results.scored_arms[:1]
        shown = list(dict.fromkeys((*(arm for pair in self.pairs for arm in pair[:2]), *self.results.scored_arms)))[:MOST_ARMS]
        simulation = self.results.simulation(titles, shown)
        there = set(simulation["basin"].unique())
        drawn = [self._hydrograph(simulation, place) for place in chosen if place.basin in there]
        live = hydrographs(simulation, self.arms, titles, self.flat.set_index(["arm", "basin"]), self.leading, begin)
        notes = self._missing_days()
        if len(shown) < len(self.results.scored_arms):
            notes += (f"Drawn are {len(shown)} of {len(self.results.scored_arms)} arms, those of the claims first.",)
        return Section("hydrographs", "Hydrographs", drawings=tuple(drawn), interactive=(live,) if live else (), notes=notes)

    def _more(self, titles: dict[str, str]) -> dict[str, str]:
        """Titles of all basins whose hydrographs the page has room for, those that are drawn on it first."""
        arms, test = self.results.comparable()[0], self.results.spec.split.test
        table = self.judged.reset_index().pivot(index="basin", columns="arm", values=self.leading).reindex(columns=list(arms)).dropna()
        more = basins_to_show(table, list(titles), (test.end - test.start).days + 1, len(arms)) if titles else []
        known = self.results.data.get("basins") or {}
        return {basin: titles.get(basin) or f"{basin} {(known.get(basin) or {}).get('name') or ''}".strip() for basin in more}

    def explore(self) -> Section:
        """Any metric of any two arms, beginning with the first claim."""
        start = self.pairs[0] if self.pairs else None
        chart = explorer(self.results, self.flat.set_index(["arm", "basin"]), start, self.results.boundaries)
        return Section("explore", "Explore", interactive=(chart,) if chart else ())

    def _missing_days(self) -> tuple[str, ...]:
        """Say which simulated days are not here."""
        lacking = [run for run in self.results.runs if run.state == "finished" and not run.has_days]
        if not lacking:
            return ()
        return (f"Of {len(lacking)} finished trials the simulated days are not here: an archive holds them where it was asked to.",)

    def _hydrograph(self, simulation: pd.DataFrame, place: Place) -> Later:
        days = shown_days(simulation, place.basin, self.results.spec.split.test)
        there = simulation["date"].between(pd.Timestamp(days.start), pd.Timestamp(days.end)) & (simulation["basin"] == place.basin)
        shown = simulation.loc[there]
        seeds = shown.groupby("seed", sort=False)["arm"].agg(lambda arms: ", ".join(dict.fromkeys(arms))).to_dict()
        which = "; ".join(f"seed {seed}: {arms}" if len(seeds) > 1 else f"seed {seed}" for seed, arms in seeds.items())
        remark = f"One training of each arm ({which})."
        return Later(figures.hydrograph, shown.drop(columns="seed"), self.arms, place.basin, place.name, place.title, remark)
