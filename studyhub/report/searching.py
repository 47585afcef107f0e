"""What searches have chosen, and what mattered in them."""

from collections.abc import Mapping
from typing import Any

from studyhub.catalog import METRICS
from studyhub.report import figures
from studyhub.report.beside import Later
from studyhub.report.collect import Results
from studyhub.report.page import Section
from studyhub.report.tables import Column, Table, frame


def section(results: Results) -> Section:
    """Empty where no search has told what mattered in it."""
    caption = (
        "How much each searched parameter mattered for the validation, by PED-ANOVA (Watanabe et al. 2023, doi:10.24963/ijcai.2023/488): "
        "how far the best tenth of the configurations, but five at least, differs in it from all that were tried; shares of the sum, means "
        "over folds. Told from ten trainings on, and rough below a hundred; a parameter searched in a narrow range looks unimportant."
    )
    drawn = Later(figures.importances, importances(results), results.arms, caption)
    return Section("importance", "What mattered in the search", drawings=(drawn,))


def importances(results: Results) -> dict[str, dict[str, float]]:
    """Arm -> parameter -> share, mean over the folds whose search has told."""
    found: dict[str, list[Mapping[str, float]]] = {}
    for entry in results.searches:
        if entry["arm"] in results.arms and entry.get("importance"):
            found.setdefault(entry["arm"], []).append(entry["importance"])
    return {arm: {key: sum(fold.get(key, 0.0) for fold in folds) / len(folds) for key in folds[0]} for arm, folds in found.items()}


def searched(results: Results) -> Table:
    """What each search has chosen."""
    columns = (Column("arm", "arm"), Column("fold", "fold"), Column("trainings", "trainings"), Column("value", "validation"))
    columns += (Column("chosen", "chosen"),)
    found = [_searched(entry) for entry in results.searches if entry["arm"] in results.arms]
    caption = "What each arm was tuned to, by as many trainings. Validation: median over basins, of days or basins apart from the test."
    return Table("searches", "Searches", caption, columns, frame(found, columns))


def _searched(entry: Mapping[str, Any]) -> dict[str, Any]:
    chosen, tried = entry["chosen"], entry["trials"]
    values = next((row["values"] for row in tried if row["params"] == chosen), None) or ()
    told = [f"{METRICS[name].label} {value:.3f}" for name, value in zip(entry["objectives"], values, strict=False)]
    params = [f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in (chosen or {}).items()]
    nothing = "nothing usable" if entry["done"] else "not yet"
    return {
        "arm": entry["arm"],
        "fold": str(entry["fold"]),
        "trainings": f"{len(tried)} of {entry['budget']}",
        "value": ", ".join(told),
        "chosen": ", ".join(params) or nothing,
    }
