"""A methods section made from what ran, to be pasted into a paper."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from studyhub.catalog import CHECKPOINTS, LOSSES, METRICS, OPTIMIZERS, PHYSICS, SCHEMES
from studyhub.report.collect import Results
from studyhub.report.contents import MAIN
from studyhub.report.document import Document
from studyhub.report.page import Section
from studyhub.report.references import Reference, cited
from studyhub.report.tables import tex
from studyhub.stats.compare import Comparison
from studyhub.stats.comparison import Blocked, SeedSpread
from studyhub.study.arms import Arm
from studyhub.study.describe import differences
from studyhub.study.settings import Period, Training
from studyhub.study.spec import Synthetic

DATA = {
    "camels-us": " of CAMELS-US (Newman et al., 2015; Addor et al., 2017)",
    "caravan": " of Caravan (Kratzert et al., 2023)",
    "synthetic": ", virtual ones with known parameters",
}
PHYSICAL = {
    "hbv": "HBV with a parameter network (Feng et al., 2024; Song et al., 2024)",
    "gr4j": "GR4J (Perrin et al., 2003) with a parameter network",
}
NETWORKS = {
    "feng2020": "an input layer, dropout on the LSTM's weights, log-transformed precipitation and target (Feng et al., 2024)",
    "kratzert2019": "dropout on the LSTM's output, z-scored inputs and target (Kratzert et al., 2019)",
}
PUBLISHED = {"adadelta": "AdaDelta (Zeiler, 2012)", "adam": "Adam (Kingma and Ba, 2015)"}
SPLITS = {
    "temporal": "The same basins train and are tested, on other days.",
    "pub": "Basins are divided at random into folds, each of which is held out once (prediction in ungauged basins).",
    "pur": "Regions of basins are held out, one after the other (prediction in ungauged regions).",
    "frozen": "Lists of basins say which train and which are tested.",
}
LIBRARIES = ("studyhub", "torch", "numpy", "scipy", "pandas")
MOST = 12  # arms that are told apart in words; of more the table of arms does


def section(studies: Sequence[Results], comparisons: Sequence[Comparison], explored: Sequence[Comparison]) -> Section:
    """A text for each study; the last one's holds what was compared."""
    written = []
    for number, results in enumerate(studies, 1):
        last = number == len(studies)
        told = paragraphs(results, comparisons if last else (), explored if last else ())
        written.append(document(results.spec.name, told, "methods" if len(studies) == 1 else f"methods_{number}"))
    return Section("methods", "Methods, to paste into a paper", documents=tuple(written))


def document(title: str, told: Sequence[tuple[str, str]], name: str = "methods") -> Document:
    """The same text for the page, as plain text, Markdown and LaTeX."""
    sources = cited(" ".join(text for _, text in told))
    plain = "\n\n".join(f"{title}. {text}" for title, text in told) + "\n\nReferences\n\n" + "\n".join(map(str, sources)) + "\n"
    markdown = "\n\n".join(f"**{_markdown(title)}.** {_markdown(text)}" for title, text in told)
    markdown += "\n\n## References\n\n" + "\n".join(f"- {_linked(source)}" for source in sources) + "\n"
    latex = "\n\n".join(rf"\paragraph{{{tex(title)}}} {tex(text)}" for title, text in told)
    items = "\n".join(rf"\item {tex(str(source))}" for source in sources)
    latex += f"\n\n\\paragraph{{References}}\n\\begin{{itemize}}\n{items}\n\\end{{itemize}}\n" if items else "\n"
    shown = (*(f"{title}. {text}" for title, text in told), "References: " + " ".join(map(str, sources)))
    return Document(name, f"Methods of {title}", shown, {"txt": plain, "md": markdown, "tex": latex})


def paragraphs(results: Results, comparisons: Sequence[Comparison], explored: Sequence[Comparison]) -> list[tuple[str, str]]:
    """(title, text) of each paragraph; titles are words, texts whole sentences."""
    found = [("Data", _data(results)), ("Models", _models(results)), ("Training", _training(results)), ("Evaluation", _evaluation(results))]
    found += [("Statistics", _statistics(comparisons, explored)), ("Software", _software(results))]
    return [(title, text) for title, text in found if text]


def _data(results: Results) -> str:
    spec, split = results.spec, results.spec.split
    folds = (results.data.get("split") or {}).get("folds") or ()
    basins = len(results.basins) or len(set(results.scores["basin"]))
    source = "synthetic" if isinstance(spec.data, Synthetic) else str(results.data.get("source"))
    text = f"{_count(basins, 'basin')}{DATA.get(source, '')} (content hash {results.data.get('hash', 'unknown')}). "
    text += f"Models were trained on {_period(split.train)}"
    text += f", validated on {_period(split.validation)}" if split.validation is not None else ""
    text += f" and tested on {_period(split.test)}. {SPLITS.get(spec.division.rule.kind, '')} "
    if len(folds) > 1:
        text += f"There are {len(folds)} folds with {_range(fold['test'] for fold in folds)} tested basins each. "
    text += f"Windows of training begin with {split.warmup} d of warm-up, and the test period follows {split.test_warmup} d of warm-up."
    return text


def _models(results: Results) -> str:
    arms = trained(results)
    text = " ".join(filter(None, (_lstm(arms), *(_hybrid(arms, name) for name in PHYSICS))))
    external = [arm.name for arm in results.spec.arms if not isinstance(arm, Arm)]
    if external:
        text += f" Simulations that were made elsewhere were scored on the same days: {_and(external)}."
    keys, rows = differences(results.spec.arms)
    if 1 < len(rows) <= MOST:
        said = (
            f"{name} ({', '.join(f'{key} {value}' for key, value in zip(keys, values, strict=True) if value != '-')})"
            for name, *values in rows
        )
        text += f" The {len(rows)} arms differ in {_and(keys)} alone: {'; '.join(said)}."
    elif len(rows) > MOST:
        text += f" The {len(rows)} arms differ in {_and(keys)} alone."
    return text.strip()


def trained(results: Results) -> list[Arm]:
    """Arms as they were trained: in place of one that was searched, what its searches have chosen."""
    found = []
    for arm in results.spec.arms:
        if isinstance(arm, Arm) and arm.searched is not None:
            chosen = [entry["chosen"] for entry in results.searches if entry["arm"] == arm.name and entry["chosen"]]
            settings = dict.fromkeys(arm.searched.configure(params) for params in chosen)
            found += [replace(arm, model=model, training=training) for model, training in settings]
        elif isinstance(arm, Arm):
            found.append(arm)
    return found


def _lstm(arms: Sequence[Arm]) -> str:
    own = [arm for arm in arms if arm.model.kind == "lstm"]
    if not own:
        return ""
    told = "; ".join(dict.fromkeys(NETWORKS[arm.model.recipe] for arm in own))
    return f"An LSTM with {_range(arm.model.hidden_size for arm in own)} hidden units simulates streamflow from {_inputs(own)}: {told}."


def _hybrid(arms: Sequence[Arm], physics: str) -> str:
    own = [arm for arm in arms if arm.model.kind == "dpl" and arm.model.physics == physics]
    if not own:
        return ""
    schemes = dict.fromkeys(arm.model.scheme for arm in own)
    dynamic = list(dict.fromkeys(name for arm in own for name in arm.model.dynamic))
    said = [
        f"Differentiable {PHYSICAL[physics]}: an LSTM with {_range(arm.model.hidden_size for arm in own)} hidden units gives the "
        "parameters "
        f"of {_counted((arm.model.components for arm in own), 'parallel component')} from {_inputs(own)}.",
        f"The water balance is solved by: {'; '.join(f'{name}, {SCHEMES[name]}' for name in schemes)}.",
        f"Parameters that vary from day to day in some arms: {_and(dynamic)}." if dynamic else "All parameters are constant in time.",
    ]
    if any(arm.model.capillary_rise for arm in own):
        said.append("Some arms have capillary rise from the lower zone to the soil (Song et al., 2024).")
    return " ".join(said)


def _inputs(arms: Sequence[Arm]) -> str:
    forcing = list(dict.fromkeys(name for arm in arms for name in arm.model.forcing))
    return f"{_and(forcing)} and {_range(len(arm.model.attributes) for arm in arms)} basin attributes"


def _training(results: Results) -> str:
    trainings = [arm.training for arm in trained(results)]
    if not trainings:
        return ""
    seeds, search = results.spec.seeds, results.spec.search
    optimizers = dict.fromkeys(PUBLISHED.get(one.optimizer, OPTIMIZERS[one.optimizer].meaning) for one in trainings)
    rates = dict.fromkeys(_rate(one.learning_rate) for one in trainings)
    kept = dict.fromkeys(CHECKPOINTS[one.checkpoint] for one in trainings)
    said = [
        f"Loss: {'; '.join(dict.fromkeys(map(_loss, trainings)))}.",
        f"Optimiser: {'; '.join(optimizers)}, learning rate {' or '.join(rates)}.",
        f"{_range(one.epochs for one in trainings)} epochs, batches of {_range(one.batch for one in trainings)} windows of "
        f"{_range(one.window for one in trainings)} d; kept are {' or '.join(kept)}.",
        f"Every arm was trained with {_count(len(seeds), 'seed')} ({', '.join(map(str, seeds))}), which set initial weights, dropout and "
        "samples.",
    ]
    if search is not None:
        said.append(
            f"{_and(search.arms)} were tuned before, by {_count(search.budget, 'training')} each ({search.sampler}; Akiba et al., 2019), "
            f"judged by the median {_and(METRICS[name].label for name in search.objectives)} apart from the test."
        )
    states = Counter(run.state for run in results.runs)
    lost = [f"{states[state]} {state}" for state in ("diverged", "failed") if states[state]]
    if lost:
        said.append(f"Of {len(results.runs)} trials {_and(lost)}; they have no scores.")
    return " ".join(said)


def _evaluation(results: Results) -> str:
    if not results.scored_arms:
        return ""
    papers = {"nse": "Nash and Sutcliffe, 1970", "kge": "Gupta et al., 2009", "kge_2012": "Kling et al., 2012"}
    told = [f"{METRICS[name].label} ({papers[name]})" if name in papers else METRICS[name].label for name in MAIN]
    said = [
        f"Simulated and observed daily discharge (mm/d) were compared by {_and(told)}, as defined in Song et al. (2024); days without an "
        "observation were left out.",
        "Low flow is the lowest 30 %, high flow the highest 2 % of the days, simulated and observed sorted apart.",
    ]
    if results.scores["et_nse"].notna().to_numpy().any():
        said.append("Evapotranspiration, which no model was trained on, was compared as sums over the satellite's composites.")
    return " ".join(said)


def _statistics(comparisons: Sequence[Comparison], explored: Sequence[Comparison]) -> str:
    if not comparisons and not explored:
        return ""
    said = ["Arms were compared over basins, scores averaged over folds and seeds within a basin first."]
    if comparisons:
        said.append(
            f"{_count(len(comparisons), 'claim')} of the study file: one-sided paired Wilcoxon signed-rank test (Wilcoxon, 1945) with "
            "zeros by Pratt's method (Pratt, 1959), p adjusted over all claims (Holm, 1979)."
        )
    if explored:
        said.append(
            f"{_count(len(explored), 'comparison')} that no claim had named: two-sided tests, p adjusted over all of them (Benjamini and "
            "Hochberg, 1995), labelled exploratory."
        )
    said.append("Differences are Hodges-Lehmann shifts with two-sided 95 % intervals (Hodges and Lehmann, 1963).")
    made = (*comparisons, *explored)
    said += [*_blocks([c.blocked for c in made if c.blocked], len(made)), *_seeds([c.seeds for c in made if c.seeds])]
    return " ".join(said)


def _blocks(blocked: Sequence[Blocked], compared: int) -> list[str]:
    """How neighbours that err alike were accounted for."""
    if not blocked:
        return []
    counts, basins, kinds = (
        _range(one.count for one in blocked),
        _range(one.n for one in blocked),
        _and(dict.fromkeys(b.kind for b in blocked)),
    )
    told = [
        f"As neighbouring basins err alike, {'all' if len(blocked) == compared else f'{len(blocked)} of {compared}'} comparisons were made "
        f"again over {counts} blocks ({kinds}) of {basins} basins: a permutation test that turns the signs of whole blocks, and intervals "
        "from resampled blocks, both widened by what neighbouring blocks have in common (an exponential correlation, by restricted "
        "likelihood)."
    ]
    ranges = [one.range_km for one in blocked if one.range_km]
    if ranges:
        told.append(f"Where there is one, its range is {_range(round(length) for length in ranges)} km.")
    return told


def _seeds(spreads: Sequence[SeedSpread]) -> list[str]:
    if not spreads:
        return []
    return ["Intervals that also cover the choice of seeds are from a hierarchical bootstrap: seeds of each arm, then basins."]


def _software(results: Results) -> str:
    made = [run.result["provenance"] for run in results.runs if run.result.get("provenance")]
    if not made:
        return ""
    versions: list[Any] = [_most((one.get("packages") or {}).get(name) for one in made) for name in LIBRARIES]
    told = [f"{name} {version}" for name, version in zip(LIBRARIES, versions, strict=True) if version]
    commit, device = _most(one.get("commit") for one in made), dict.fromkeys(str(one.get("device")) for one in made)
    text = f"{_and(told)} on Python {_most(one.get('python') for one in made)}" + (f" (commit {str(commit)[:10]})" if commit else "")
    return f"{text}, in {_most(one.get('dtype') for one in made)} on {_and(device)}."


def _most(values: Iterable[Any]) -> Any:
    """The value that most trials have."""
    counts = Counter(value for value in values if value)
    return counts.most_common(1)[0][0] if counts else None


def _loss(training: Training) -> str:
    return f"{training.loss}, {LOSSES[training.loss].replace('a = loss_weight', f'a = {training.loss_weight:g}')}"


def _rate(steps: Sequence[tuple[int, float]]) -> str:
    (_, first), *later = steps
    return ", ".join((f"{first:.3g}", *(f"{rate:.3g} from epoch {epoch}" for epoch, rate in later)))


def _period(period: Period) -> str:
    return f"{period.start} to {period.end}"


def _range(values: Iterable[int]) -> str:
    found = sorted(set(values))
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _counted(values: Iterable[int], what: str) -> str:
    told = _range(values)
    return f"{told} {what}{'' if told == '1' else 's'}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _and(names: Iterable[str]) -> str:
    found = list(names)
    return " and ".join(filter(None, (", ".join(found[:-1]), *found[-1:])))


def _markdown(text: str) -> str:
    """Text in which nothing means more than it says."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|" else letter for letter in text)


def _linked(source: Reference) -> str:
    link = f" [doi:{source.doi}]({source.address})" if source.doi else ""
    return f"{_markdown(source.text)}{link}"
