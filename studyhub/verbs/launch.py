"""``studyhub launch`` and ``studyhub retry``: run what is missing of a study, or again what has failed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from studyhub.verbs.options import Address, AsEvents, Changes, Data, Home, Name, Quiet, Stored, StudyFile, located
from studyhub.verbs.plan import plan
from studyhub.verbs.printing import print_json


def launch(
    study: StudyFile,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the trials, as `studyhub plan` does, and run nothing")] = False,
    address: Address = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="in the background: as a job of the cluster at --address, else as a process of this machine")
    ] = False,
    quiet: Quiet = False,
    as_json: AsEvents = False,
    changes: Changes = None,
    name: Name = None,
    data: Data = None,
    home: Home = Path(),
) -> None:
    """Run the trials of a study that are not finished yet.

    Then write its scores and its report. Ctrl-C lets running trials end their epoch and stops, a second one stops at once; the same command
    goes on where it ended. `studyhub status STUDY --follow`, in another terminal, shows how far it is.

    Exit codes: 0 everything ended as expected, 1 some trial did not, 2 bad input, 3 a fault of ours, 130 stopped.

    Example: studyhub launch my_study.yaml
    Example: studyhub launch my_study.yaml --quiet
    """
    _require_one(quiet, as_json)
    if dry_run:
        return plan(study, changes=changes, name=name, data=data, home=home, as_json=as_json)
    if detach:
        return _detach(study, home, changes or (), data or (), name, address, quiet=quiet, as_json=as_json)
    raise typer.Exit(_run(study, home, changes or (), data or (), name, None, address, quiet=quiet, as_json=as_json))


def retry(
    study: Stored,
    failed: Annotated[bool, typer.Option("--failed", help="the trials that have failed")] = False,
    arm: Annotated[str | None, typer.Option(metavar="ARM", help="those of this arm only")] = None,
    address: Address = None,
    quiet: Quiet = False,
    as_json: AsEvents = False,
    home: Home = Path(),
) -> None:
    """Run again what has failed, and nothing else.

    `studyhub status STUDY` says why they failed. A trial goes on from its last checkpoint, if it has one. A launch runs failed trials too,
    with all else that is missing.

    Example: studyhub retry my_study --failed
    """
    _require_one(quiet, as_json)
    if not failed:
        raise typer.BadParameter("what is to be run again is required: the trials that have failed", param_hint="--failed")
    from studyhub.study import remote
    from studyhub.study.status import failed_trials
    from studyhub.study.store import Store

    home, name = located(study, home)
    remote.pull(home, name)
    store = Store(home)
    trials = failed_trials(store, name, arm)
    if not trials:
        print(f"no trial of {name} has failed" + (f" in arm {arm}" if arm else "") + _of_searches(store.searches(name), arm))
        return
    file = store.study_folder(name) / "spec.yaml"
    raise typer.Exit(_run(file, home, (), (), name, trials, address, quiet=quiet, as_json=as_json))


def _of_searches(searches: Sequence[Mapping[str, Any]], arm: str | None) -> str:
    """Say what becomes of trainings of searches that have failed."""
    failed = [row["trial"] for each in searches if arm in (None, each["arm"]) for row in each["trials"] if row["state"] == "failed"]
    many = len(dict.fromkeys(failed))
    return f"; of searches {many} did: `studyhub launch` tries anew those that a search waits for" if many else ""


def _require_one(quiet: bool, as_json: bool) -> None:
    if quiet and as_json:
        raise typer.BadParameter(
            "one of the two is required: --quiet prints nothing, --json prints all that happens", param_hint="--quiet, --json"
        )


def _run(
    study: Path,
    home: Path,
    changes: Sequence[str],
    data: Sequence[str],
    name: str | None,
    only: Collection[str] | None,
    address: str | None,
    *,
    quiet: bool,
    as_json: bool,
) -> int:
    from studyhub.launch import launch as run
    from studyhub.runner.show import Show

    show = Show.of(quiet=quiet, as_json=as_json)
    return run(study, home, changes, data, name, address=address, only=only, show=show)


def _detach(
    study: Path,
    home: Path,
    changes: Sequence[str],
    data: Sequence[str],
    name: str | None,
    address: str | None,
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Launch in the background, once all that can be told at once of bad input has been."""
    from studyhub.prepared import prepare
    from studyhub.storage import absolute
    from studyhub.study import remote

    prepared = prepare(study, home, changes, data, name)
    prepared.store.check_writable()
    from studyhub.runner.workers.jobs import submit

    options = [("--home", remote.origin(home)), *(("--set", change) for change in changes), *(("--data", absolute(each)) for each in data)]
    options += [("--name", name)] if name is not None else []
    arguments = [str(study.absolute()), *(word for option in options for word in option)]
    job = submit(arguments, address, prepared.store.study_folder(prepared.spec.name))
    if as_json:
        print_json({"study": prepared.spec.name, **asdict(job), "place": job.place, "words": job.words, "stop": job.stop})
    elif not quiet:
        print(f"{prepared.spec.name} goes on as {job.place}")
        rows = [("how far it is", f"studyhub status {prepared.spec.name} --follow"), ("what it says", job.words), ("stop it", job.stop)]
        print("\n".join(f"  {what:15}{command}" for what, command in rows))
