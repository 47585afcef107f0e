"""What a study has found, in sentences made from its numbers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from studyhub.catalog import METRICS
from studyhub.report.collect import Results
from studyhub.report.contents import common_basins
from studyhub.stats.compare import Comparison
from studyhub.stats.summary import medians
from studyhub.stats.wording import asked, sentence, verdict
from studyhub.study.status import told

OPENINGS = {
    "shown": "",  # their number opens the sentence
    "the other way": "The data point the other way than that",
    "not shown": "Not shown",
    "no basins": "Without a basin that both arms have",
}
LEADING = "kge"  # what arms are ranked by where no claim names a metric


@dataclass(frozen=True)
class Answer:
    """``lead`` is the answer in one sentence; ``claims`` holds (verdict, sentence) for each claim; ``state`` says how far the study is."""

    lead: str
    claims: tuple[tuple[str, str], ...]
    state: str


def answer(results: Results, comparisons: Sequence[Comparison]) -> Answer:
    """Answer the study's question as far as its finished trials allow."""
    claims = [(verdict(c), sentence(c, METRICS[c.metric].label, METRICS[c.metric].unit)) for c in comparisons]
    shown = tuple((kind, text.removeprefix("not shown: ")) for kind, text in claims)  # the verdict stands beside it
    told = claims[0][1] if len(claims) == 1 else _together(comparisons)
    return Answer(_lead(results, told), shown, _state(results))


def _lead(results: Results, claims: str) -> str:
    scored = results.scored_arms
    if not scored:
        return _nothing(results)
    sofar = "So far, with trials still to come: " if _open(results) else ""
    if len(results.arms) == 1:
        return f"{sofar}{_ranking(results)} There is one arm, so nothing is compared."
    if len(scored) == 1:
        return f"{sofar}Only `{scored[0]}` has scores, so nothing can be compared. {_ranking(results)}"
    if not claims:
        return f"{sofar}{_ranking(results)} No claim was declared, so no test decides between them."
    return sofar + (claims if sofar else _opened(claims)) + _lost(results)


def _lost(results: Results) -> str:
    """Say which arms are judged by fewer trials than they should: the survivors may be the luckier ones."""
    parts = []
    for arm in results.scored_arms:
        count = results.states()[arm]
        bad = {state: count[state] for state in ("diverged", "failed") if count[state]}
        if bad:
            parts.append(f"{arm} by {count['finished']} of its {count.total()} trials ({told(bad)})")
    return f" Mind that this judges {'; '.join(parts)}." if parts else ""


def _together(comparisons: Sequence[Comparison]) -> str:
    """Say of several claims which hold and which do not; empty where there is none."""
    found: dict[str, list[str]] = {}
    for c in comparisons:
        found.setdefault(verdict(c), []).append(asked(c, METRICS[c.metric].label))
    shown = f"{len(found.get('shown', []))} of {len(comparisons)} claims shown"
    parts = [f"{opening or shown}: {'; '.join(found[kind])}." for kind, opening in OPENINGS.items() if kind in found]
    return " ".join(parts if "shown" in found else [f"{shown}.", *parts]) if parts else ""


def _opened(text: str) -> str:
    """Return the sentence with a capital, but never an arm's name: that is written as the study writes it."""
    return "Not shown" + text.removeprefix("not shown") if text.startswith("not shown") else text


def _nothing(results: Results) -> str:
    count = Counter(run.state for run in results.runs)
    if set(count) == {"diverged"}:
        return f"All {count['diverged']} trials diverged, so there is no score and nothing to compare; where and when stands below."
    if not _open(results):
        return f"No trial has finished ({told(count)}), so there is no score and nothing to compare; the causes stand below."
    return f"No trial has finished yet ({told(count)})."


def _ranking(results: Results) -> str:
    """Rank the arms over the basins that all of them have."""
    common = common_basins(results.scores)
    if not common:
        return "No basin has scores of all arms."
    shared = results.scores.loc[results.scores["basin"].isin(list(common))]
    ranked = medians(shared).reset_index().sort_values(LEADING, ascending=False, kind="stable").dropna(subset=[LEADING])
    found = ranked.to_dict("records")
    if not found:
        return f"No arm has a defined {METRICS[LEADING].label}."
    arms = [f"{row['arm']} {row[LEADING]:.3f}" for row in found]
    shown = ", then ".join(arms[:3]) + (f", and {len(arms) - 3} more" if len(arms) > 3 else "")
    return f"Median {METRICS[LEADING].label} over {_counted(len(common), 'basin')}: {shown}."


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _open(results: Results) -> bool:
    """Tell whether there are trials that may still come to an end."""
    return any(run.state in ("pending", "running", "stopped") for run in results.runs)


def _state(results: Results) -> str:
    count = Counter(run.state for run in results.runs)
    basins = len(set(results.scores["basin"]))
    return f"{_counted(len(results.runs), 'trial')}: {told(count)}" + (f"; {_counted(basins, 'basin')}" if basins else "")
