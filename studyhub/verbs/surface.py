"""``studyhub surface``: a score over the plane of two parameters, around what models have learned."""

import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studyhub.errors import StoreError
from studyhub.verbs.options import AsJson, Home, Stored, located
from studyhub.verbs.printing import print_json

if TYPE_CHECKING:
    from studyhub.study.spec import StudySpec
    from studyhub.study.surface import Surface

OPTIONS = {"arms": "--arm", "basins": "--basin"}


def surface(
    study: Stored,
    parameters: Annotated[tuple[str, str] | None, typer.Option(metavar="NAME NAME", help="the two to move; FC and BETA by default")] = None,
    arm: Annotated[list[str] | None, typer.Option(metavar="ARM", help="this arm only; may be repeated")] = None,
    basin: Annotated[list[str] | None, typer.Option(metavar="ID", help="this basin; may be repeated")] = None,
    most_different: Annotated[
        int | None, typer.Option(min=1, max=20, metavar="N", help="the N basins where arms differ most; 4 by default")
    ] = None,
    points: Annotated[int | None, typer.Option(min=3, max=101, metavar="N", help="points along each axis, odd; 21 by default")] = None,
    reach: Annotated[
        float | None,
        typer.Option(min=0.001, max=1.0, metavar="SHARE", help="how far to move, as a share of a parameter's range; 0.5 by default"),
    ] = None,
    metric: Annotated[str | None, typer.Option(metavar="NAME", help="metric of discharge; kge by default")] = None,
    as_json: AsJson = False,
    home: Home = Path(),
) -> None:
    """Compute how a score changes around learned parameters.

    Two parameters of a water-balance model are moved away from what a finished trial has learned, by one offset for all components and
    days, and the test period is simulated again with all else as it is. Nothing is trained. The surfaces stand in
    studies/STUDY/surfaces.parquet; `studyhub report STUDY` draws them. What is there already is not computed again. A study file asks for
    the same with `surface:`, and what that says is the default here.

    Example: studyhub surface my_study
    Example: studyhub surface my_study --parameters FC BETA --most-different 2 --points 11
    """
    if basin and most_different is not None:
        raise typer.BadParameter("name basins, or say how many are to be chosen", param_hint="--basin, --most-different")
    from studyhub.prepared import prepare
    from studyhub.study import remote
    from studyhub.study.store import Store
    from studyhub.verbs.bars import bar

    home, name = located(study, home)
    remote.pull(home, name)
    store = Store(home)
    store.read_study(name)
    prepared = prepare(store.study_folder(name) / "spec.yaml", home, name=name)
    said = {"parameters": parameters, "arms": tuple(arm or ()), "points": points, "reach": reach, "metric": metric}
    said["basins"] = tuple(dict.fromkeys(basin)) if basin else most_different
    asked = _asked(prepared.spec, {key: value for key, value in said.items() if value})
    from studyhub.surfaces import compute

    with bar("points") as progress:
        done = compute(prepared, asked, partial(print, file=sys.stderr), progress)
    remote.push(home, name)
    for why in done.left_out.values():
        print(f"{why}: left out", file=sys.stderr)
    if as_json:
        print_json(asdict(done) | {"study": name, "path": remote.named(home, done.path)})
        return
    print(f"{remote.named(home, done.path)}: {done}")


def _asked(spec: "StudySpec", said: dict[str, Any]) -> "Surface":
    """What the study file asks for, changed by what the command line says."""
    from studyhub.study.surface import Surface

    asked = replace(spec.surface or Surface(), **said)
    for key, message in asked.problems(spec.arms):
        option = OPTIONS.get(str(key[0]), f"--{key[0]}") if key else "surface"
        raise StoreError(f"{option}: {message}")
    return asked
