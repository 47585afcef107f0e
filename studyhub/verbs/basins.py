"""Verbs about basins: what shards hold, which of them a study trains and tests on, and what a trained model makes of them."""

import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studyhub.study.settings import Period
from studyhub.study.wording import mixed_pet
from studyhub.verbs.ingest import period
from studyhub.verbs.options import AsJson, Changes, Data, Home, StudyFile
from studyhub.verbs.printing import print_columns, print_json

if TYPE_CHECKING:
    from studyhub.data.manifest import Entry, Manifest

YEAR = 365.25  # days


def data(
    shards: Annotated[list[str], typer.Argument(metavar="SHARDS", help="a shards folder, path or URI; several are taken together")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="folder of the page and its figures; reports/data/NAME by default")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="read every number and compare it with what was written")] = False,
    as_json: AsJson = False,
) -> None:
    """Print and plot what shards hold.

    Basins on a map, periods, variables with units and missing days, quality.

    Example: studyhub data shards/camels_us
    """
    from studyhub.data.manifest import Manifest
    from studyhub.storage import last_part

    manifest = Manifest.open(shards)
    if verify:
        _verify(shards)
    if as_json:
        print_json(_facts(manifest))
        return
    _print(manifest)
    if verify:
        print("\nevery number is what was written")
    from studyhub.data.quality_checks import CHECKS
    from studyhub.report.basins import write

    meanings = {check.name: check.meaning for check in CHECKS.values()}
    folder = out or Path("reports") / "data" / "+".join(last_part(where) for where in manifest.where)
    print(f"\nmap and periods: {write(_facts(manifest), _rows(manifest), folder, meanings)}")


def _verify(shards: list[str]) -> None:
    from studyhub.data.shards import Shards
    from studyhub.verbs.bars import bar

    with bar("basins verified") as progress:
        Shards.open(shards).require_unaltered(progress)


def _facts(manifest: "Manifest") -> dict[str, Any]:
    """What is there, as plain values."""
    days = sum(entry.days for entry in manifest.entries.values())
    missing = {name: sum(entry.missing[name] for entry in manifest.entries.values()) / days for name in manifest.variables}
    counted = {key: _counts(manifest, key) for key in ("continent", "climate_group", "dataset", "country", "huc_02", "pet_method")}
    return {
        "folders": list(manifest.where),
        "source": manifest.source,
        "settings": manifest.settings,
        "basins": len(manifest.basins),
        "period": [str(manifest.period.start), str(manifest.period.end)],
        "megabytes": sum(manifest.sizes.values()) / 1e6,
        "variables": {name: {"unit": unit, "missing_percent": 100 * missing[name]} for name, unit in manifest.units.items()},
        "attributes": list(manifest.attribute_names),
        "groups": {key: counts for key, counts in counted.items() if counts},
        "quality": manifest.quality,
        "left_out": manifest.left_out,
        "remark": mixed_pet(manifest.metadata),
    }


def _counts(manifest: "Manifest", key: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for facts in manifest.metadata.values():
        value = facts.get(key)
        if value not in (None, ""):
            counts[str(value)] = counts.get(str(value), 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _rows(manifest: "Manifest") -> list[dict[str, Any]]:
    """A row per basin."""
    rows = []
    for basin, entry in manifest.entries.items():
        keys = ("name", "gauge_lat", "gauge_lon", "area_km2", "continent", "climate_group", "dataset")
        row = {"basin": basin} | {key: entry.facts.get(key) for key in keys}
        first, last = (entry.facts.get(key) for key in ("first_observed", "last_observed"))
        observed = {
            "observed": _by_year(entry),
            "first_observed": first,
            "last_observed": last,
            "observed_years": sum(days for _, days in entry.observed) / YEAR,
        }
        rows.append(row | {"start": entry.period.start, "end": entry.period.end} | observed | {"flagged": entry.facts.get("flagged") or []})
    return rows


def _by_year(entry: "Entry") -> dict[int, int]:
    """Days with observed discharge in each calendar year that has any."""
    days = {
        year: entry.observed_days(Period(date(year, 1, 1), date(year, 12, 31)))
        for year in range(entry.start.year, entry.period.end.year + 1)
    }
    return {year: count for year, count in days.items() if count}


def _print(manifest: "Manifest") -> None:
    facts, rows = _facts(manifest), _rows(manifest)
    observed = sorted(row["observed_years"] for row in rows)
    print(f"{manifest.folder}: {facts['basins']} basins from {manifest.source}, {manifest.period}, {facts['megabytes']:.1f} MB")
    if manifest.settings:
        told = {key: value for key, value in manifest.settings.items() if not isinstance(value, dict | list)}
        print(f"made with {', '.join(f'{key} {value}' for key, value in told.items())}") if told else None
    print(f"observed discharge: {observed[0]:.1f} to {observed[-1]:.1f} years a basin, median {observed[len(observed) // 2]:.1f}")
    for key, counts in facts["groups"].items():
        if len(counts) > 1 or key in ("continent", "climate_group", "pet_method"):
            shown = list(counts.items())[:12]
            print(f"{key}: {', '.join(f'{value} {count}' for value, count in shown)}{', ...' if len(counts) > 12 else ''}")
    print(f"attributes: {len(facts['attributes'])}\n")
    if facts["remark"]:
        print(f"{facts['remark']}\n")
    variables = [(name, about["unit"], f"{about['missing_percent']:.2f}") for name, about in facts["variables"].items()]
    print_columns(("variable", "unit", "missing, % of days"), variables)
    flagged = {check: counts for check, counts in facts["quality"].items() if counts.get("flagged")}
    print(f"\nquality: {len(facts['quality'])} checks, {len(facts['quality']) - len(flagged)} flag no basin")
    if flagged:
        verdicts = ("flagged", "passed", "not checked")
        print_columns(("check", *verdicts), [(check, *(str(counts.get(v, 0)) for v in verdicts)) for check, counts in flagged.items()])
    for basin, why in manifest.left_out.items():
        print(f"left out {basin}: {why}")


def predict(
    trial: Annotated[str, typer.Argument(metavar="TRIAL", help="a trial's id, or STUDY/ARM/FOLD/SEED")],
    shards: Annotated[list[str], typer.Option("--data", metavar="SHARDS", help="basins to simulate; may be repeated")],
    out: Annotated[Path, typer.Option(metavar="TABLE", help="table to write, .parquet or .csv")],
    basins: Annotated[Path | None, typer.Option(metavar="FILE", help="simulate these basins only: a list")] = None,
    days: Annotated[Period | None, typer.Option("--period", metavar="A:B", parser=period, help="simulate these days")] = None,
    fill: Annotated[str | None, typer.Option(metavar="RULE:DAYS", help="fill short gaps in forcing, such as interpolate:5")] = None,
    home: Home = Path(),
) -> None:
    """Simulate any basins and days with a trained model.

    Whether anything was observed there or not.

    Example: studyhub predict my_study/implicit --data shards/camels_us --out simulated.parquet
    """
    if out.suffix not in (".csv", ".parquet"):
        raise typer.BadParameter(f"a table that ends in .csv or .parquet is required, got {out}", param_hint="--out")
    import torch

    from studyhub.data.fill import Fill
    from studyhub.data.manifest import shorten
    from studyhub.data.shards import Shards
    from studyhub.runner.predict import find, predict
    from studyhub.study import remote
    from studyhub.study.lists import read_basins
    from studyhub.study.store import Store
    from studyhub.verbs.bars import bar

    if fill is not None:
        Fill.parse(fill)  # also where there is no gap
    remote.pull(home, trial.partition("/")[0] if "/" in trial else None, want=remote.STATE)
    folder = find(Store(home), trial)
    remote.pull_trials(home, [folder.parent.name], want=remote.ALL)
    chosen = None if basins is None else read_basins(basins)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    with bar("basins") as progress:
        found = predict(folder, Shards.open(shards, fill, verify=True), out, basins=chosen, period=days, device=device, progress=progress)
    print(f"{out}: {found.basins} basins; discharge and fluxes in mm/d, stores in mm")
    if found.parameters is not None:
        print(f"{found.parameters}: parameters of each basin, in their units")
    if found.lacking:
        print(f"{len(found.lacking)} basins lack an attribute, the training's mean was taken for it: {shorten(found.lacking)}")


def split(
    study: StudyFile,
    out: Annotated[Path, typer.Option(metavar="LISTS.csv", help="table to write: fold, name, role, basin, start, end")],
    changes: Changes = None,
    data: Data = None,
    home: Home = Path(),
) -> None:
    """Write which basins and periods a study trains and tests on.

    To be published, or taken by another study with `kind: frozen`.

    Example: studyhub split my_study.yaml --out folds.csv
    """
    from studyhub.prepared import prepare
    from studyhub.study.files import write_texts
    from studyhub.study.lists import Frozen

    prepared = prepare(study, home, changes or (), data or ())
    frozen = Frozen.of(prepared.plan.folds, prepared.spec.split)
    write_texts({out: frozen.to_csv()}, advice="name another file with --out")
    print(f"{out}: {len(prepared.plan.folds)} folds, {len(frozen.rows)} rows, hash {frozen.hash}")
