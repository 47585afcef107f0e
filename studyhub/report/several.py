"""Several studies as one: their arms side by side, called STUDY/ARM; what was judged on other data or days is never compared.

A trial's id hashes its settings, its data and its days. Arms that share a trial are one arm, under both names.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from studyhub.report.collect import COLUMNS, Results, Run
from studyhub.report.page import Section
from studyhub.report.tables import Column, Table, frame, whole
from studyhub.study.spec import Claim, StudySpec
from studyhub.study.status import told
from studyhub.study.store import claim_text
from studyhub.study.wording import listed


@dataclass(frozen=True)
class Part:
    """One of the studies, under the arms' new names.

    Parameters
    ----------
    name : of the study, told apart where two have the same
    whole : all of its trials: what its claims are about
    own : its arms but those that an earlier study has too, with the trials that any study has of them
    group : studies of the same number were judged on the same data and days
    prefix : what stands before its basins' names, where another group has other data: the same name may be another basin there
    """

    name: str
    whole: Results
    own: Results
    group: int
    prefix: str = ""


@dataclass(frozen=True)
class Joined(Results):
    """Results of several studies, to be shown as those of one."""

    parts: tuple[Part, ...] = ()
    shared: tuple[str, ...] = ()  # arms that stand in several studies

    @property
    def test_period(self) -> str:
        periods: dict[str, list[str]] = {}
        for part in self.parts:
            periods.setdefault(str(part.whole.spec.split.test), []).append(part.name)
        return next(iter(periods)) if len(periods) == 1 else "; ".join(f"{', '.join(names)}: {period}" for period, names in periods.items())

    def comparable(self) -> list[list[str]]:
        groups: dict[int, dict[str, None]] = {}
        scored = set(self.scored_arms)
        for part in self.parts:
            groups.setdefault(part.group, {}).update(dict.fromkeys(arm for arm in part.whole.arms if arm in scored))
        return sorted(map(list, groups.values()), key=len, reverse=True)

    def simulation(self, basins: Iterable[str], arms: Iterable[str] | None = None) -> pd.DataFrame:
        wanted, of = list(basins), None if arms is None else list(arms)
        return self._gathered(
            lambda part: part.own.simulation([b.removeprefix(part.prefix) for b in wanted if b.startswith(part.prefix)], of)
        )

    def signatures(self) -> pd.DataFrame:
        return self._gathered(lambda part: part.own.signatures())

    def parameters(self) -> pd.DataFrame:
        return self._gathered(lambda part: part.own.parameters())

    def benchmarks(self) -> pd.DataFrame:
        return self._gathered(lambda part: part.own.benchmarks()).drop_duplicates(["basin", "benchmark"])

    def attributes(self) -> pd.DataFrame:
        return self._gathered(lambda part: part.own.attributes()).drop_duplicates("basin")

    def _gathered(self, read: Callable[[Part], pd.DataFrame]) -> pd.DataFrame:
        tables = [_prefixed(read(part), part.prefix) for part in self.parts]
        return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def join(studies: Sequence[Results]) -> Joined:
    """Put several studies together, in their order."""
    names = _told_apart([results.spec.name for results in studies])
    called, shared = _arms(studies, names)
    groups = _groups(studies)
    wholes = [_renamed(results, arms) for results, arms in zip(studies, called, strict=True)]
    homes = {arm: number for number in reversed(range(len(wholes))) for arm in wholes[number].arms}
    parts = [
        Part(name, whole, _at_home(wholes, homes, number), group, f"{name}: " if group and groups.index(group) else "")
        for number, (name, whole, group) in enumerate(zip(names, wholes, groups, strict=True))
    ]
    return _joined(tuple(parts), shared)


def _at_home(wholes: Sequence[Results], homes: Mapping[str, int], number: int) -> Results:
    """A study with all trials, of whichever study, of those arms that no earlier study has; each trial once."""
    runs: dict[str, Run] = {}
    scores, known = [], set()
    for results in wholes:
        new = {run.cell.trial: run for run in results.runs if homes[run.cell.arm] == number and run.cell.trial not in runs}
        runs |= new
        scores.append(results.scores.loc[results.scores["trial"].isin(list(new.keys() - known))])
        known |= new.keys()
    return replace(wholes[number], runs=tuple(runs.values()), scores=pd.concat(scores, ignore_index=True))


def _told_apart(names: Sequence[str]) -> list[str]:
    return [f"{name} ({names[: i + 1].count(name)})" if names.count(name) > 1 else name for i, name in enumerate(names)]


def _arms(studies: Sequence[Results], names: Sequence[str]) -> tuple[list[dict[str, str]], tuple[str, ...]]:
    """For each study arm -> its name among all; and the names of those that share trials with another study's."""
    owner: dict[str, tuple[int, str]] = {}  # trial -> the first study's arm that it was met in
    first: dict[tuple[int, str], tuple[int, str]] = {}
    same: dict[tuple[int, str], list[tuple[int, str]]] = {}
    for number, results in enumerate(studies):
        for arm in results.arms:
            met = next((owner[run.cell.trial] for run in results.of(arm) if run.cell.trial in owner), (number, arm))
            known = first[number, arm] = first.get(met, met)
            same.setdefault(known, []).append((number, arm))
            for run in results.of(arm):
                owner.setdefault(run.cell.trial, (number, arm))
    called = {known: " = ".join(f"{names[number]}/{arm}" for number, arm in members) for known, members in same.items()}
    arms = [{arm: called[first[number, arm]] for arm in results.arms} for number, results in enumerate(studies)]
    return arms, tuple(called[known] for known, members in same.items() if len(members) > 1)


def _groups(studies: Sequence[Results]) -> list[int]:
    """Number the studies by what they were judged on: data (source and content) and test period; unknown data are alone."""
    seen: dict[Any, int] = {}
    keys = []
    for number, results in enumerate(studies):
        content = (results.data.get("source"), results.data.get("hash"))
        keys.append((*content, str(results.spec.split.test)) if content[1] else ("unknown", number))
    return [seen.setdefault(key, len(seen)) for key in keys]


def _renamed(results: Results, arms: Mapping[str, str]) -> Results:
    spec = results.spec
    runs = tuple(replace(run, cell=replace(run.cell, arm=arms[run.cell.arm])) for run in results.runs)
    claims = tuple(Claim(better=arms[c.better], than=arms[c.than], metric=c.metric) for c in spec.compare)
    declared = {
        claim_text(arms[c.better], arms[c.than], c.metric): results.declared.get(claim_text(c.better, c.than, c.metric), {})
        for c in spec.compare
    }
    return replace(
        results,
        spec=replace(spec, arms=tuple(replace(arm, name=arms[arm.name]) for arm in spec.arms), compare=claims),
        runs=runs,
        scores=results.scores.assign(arm=[arms[arm] for arm in results.scores["arm"]]).astype({"arm": COLUMNS["arm"]}),
        declared=declared,
        searches=[entry | {"arm": arms[entry["arm"]]} for entry in map(dict, results.searches) if entry.get("arm") in arms],
    )


def _joined(parts: tuple[Part, ...], shared: tuple[str, ...]) -> Joined:
    first = parts[0].whole
    arms = {arm.name: arm for part in reversed(parts) for arm in reversed(part.whole.spec.arms)}
    spec = replace(
        first.spec,
        name=" + ".join(part.name for part in parts),
        question=_question([part.whole.spec for part in parts]),
        arms=tuple(reversed(arms.values())),
        compare=tuple(dict.fromkeys(claim for part in parts for claim in part.whole.spec.compare)),
    )
    facts = [_prefixed(part.whole.basins, part.prefix) for part in parts]
    known = {f"{part.prefix}{basin}": told for part in parts for basin, told in (part.whole.data.get("basins") or {}).items()}
    runs: list[Run] = [run for part in parts for run in part.own.runs]
    order = {name: place for place, name in enumerate(reversed(arms))}
    return Joined(
        spec=spec,
        runs=tuple(sorted(runs, key=lambda run: order[run.cell.arm])),
        scores=pd.concat([_prefixed(part.own.scores, part.prefix) for part in parts], ignore_index=True),
        basins=pd.concat(facts, ignore_index=True).drop_duplicates("basin", ignore_index=True),
        data=dict(first.data) | {"basins": known},
        declared={claim: told for part in parts for claim, told in part.whole.declared.items()},
        searches=[entry for part in parts for entry in part.whole.searches],
        boundaries=first.boundaries,
        parts=parts,
        shared=shared,
    )


def _question(specs: Sequence[StudySpec]) -> str:
    """Every question once; of many the first two."""
    every = list(dict.fromkeys(spec.question for spec in specs))
    return " ".join(every) if len(every) <= 2 else f"{' '.join(every[:2])} (and {len(every) - 2} more questions)"


def _prefixed(table: pd.DataFrame, prefix: str) -> pd.DataFrame:
    return table.assign(basin=prefix + table["basin"].astype("str")) if prefix and len(table) else table


def section(joined: Joined) -> Section:
    """Which studies there are, and which of them can be compared."""
    columns = (
        Column("name", "study"),
        Column("question", "question"),
        Column("source", "data"),
        Column("hash", "content hash"),
        Column("test", "test period"),
        Column("arms", "arms", "", whole),
        Column("trials", "trials"),
    )
    rows = [
        {
            "name": part.name,
            "question": part.whole.spec.question,
            "source": part.whole.data.get("source"),
            "hash": part.whole.data.get("hash"),
            "test": str(part.whole.spec.split.test),
            "arms": len(part.whole.arms),
            "trials": told(Counter(run.state for run in part.whole.runs)),
        }
        for part in joined.parts
    ]
    caption = "Claims are those of each study, tested on its own trials and adjusted over its own claims."
    return Section("studies", "Studies", (Table("studies", "Studies", caption, columns, frame(rows, columns)),), notes=_notes(joined))


def _notes(joined: Joined) -> tuple[str, ...]:
    notes = []
    groups: dict[int, list[str]] = {}
    for part in joined.parts:
        groups.setdefault(part.group, []).append(part.name)
    if len(groups) > 1:
        apart = "; ".join(listed(names, most=6) for names in groups.values())
        notes.append(
            f"These studies were not all judged on the same data and test period ({apart}): scores of different ones stand side by side, "
            "but no test compares them, for a difference could come from the basins or the weather."
        )
    if joined.shared:
        notes.append(
            f"Trained once, and part of several studies: {'; '.join(joined.shared)}. Such an arm stands here once, under all its names."
        )
    return tuple(notes)
