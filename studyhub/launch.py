"""The main job: a study file goes in, trained trials and scores per basin come out.

``python -m studyhub.launch STUDY.yaml`` is ``studyhub launch STUDY.yaml``. What has finished, in whichever study, is not run again.
"""

import sys

if __name__ == "__main__":  # before the imports below, which take a while
    from studyhub.__main__ import main

    sys.exit(main(["launch", *sys.argv[1:]]))

import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from studyhub import surfaces
from studyhub.concluded import conclude
from studyhub.prepared import Prepared, prepare
from studyhub.runner.mirroring import mirroring
from studyhub.runner.progress import Progress
from studyhub.runner.schedule import Schedule
from studyhub.runner.show import Show
from studyhub.runner.stop import ENDED, STOPPED, interruptible
from studyhub.study import remote
from studyhub.study.describe import describe
from studyhub.study.external import ExternalArm
from studyhub.study.launches import launching
from studyhub.underway import UnderWay

if TYPE_CHECKING:
    from studyhub.data.shards import Shards
    from studyhub.runner.workers.cluster import Cluster

__all__ = ["Prepared", "launch", "prepare", "train"]


def launch(
    study: Path,
    home: Path,
    overrides: Sequence[str] = (),
    data: Sequence[str] = (),
    name: str | None = None,
    *,
    address: str | None = None,
    only: Collection[str] | None = None,
    show: Show | None = None,
) -> int:
    """Run what is missing of a study, write and print its scores, and return the exit code.

    0: every trial finished, or diverged where its arm may; 1: some did not; 130: stopped by a signal.

    Parameters
    ----------
    address : of a Ray cluster to join; None means ``RAY_ADDRESS``, and without that this machine
    only : ids of the trials to run; None means all
    show : where to say what happens
    """
    begun, show = time.monotonic(), show or Show.of()
    try:
        with interruptible():
            prepared = prepare(study, home, overrides, data, name, say=show.say)
            prepared.store.check_writable()
            # To run again what has failed makes no new version of the study.
            is_stored = study.absolute() == (prepared.store.study_folder(prepared.spec.name) / "spec.yaml").absolute()
            with remote.launching(home, prepared.spec.name, show.say, show.warn):
                if not is_stored:
                    tell_changes(prepared, show)
                under_way = UnderWay(prepared, only, keeps=not is_stored)
                greet(under_way, show)
                score(under_way, show)
                stopped = train(under_way, show, address) if under_way.open else under_way.keep()
                if not stopped:
                    surfaces.conclude(under_way.prepared, show)
                return conclude(under_way.prepared, show, time.monotonic() - begun, stopped=bool(stopped), only=only)
    except KeyboardInterrupt:
        show.say(ENDED)
        return STOPPED


def tell_changes(prepared: Prepared, show: Show) -> None:
    """Say how the study differs from what was launched under its name before."""
    told = prepared.since_launched()
    if told:
        show.say("since it was launched last:\n" + "\n".join(f"  {line}" for line in told) + "\n")


def greet(under_way: UnderWay, show: Show) -> None:
    spec, plan, store = under_way.prepared.spec, under_way.prepared.plan, under_way.prepared.store
    show.say(describe(spec, plan))
    every, lacking = len(plan.trials) + len(plan.externals), [*(task.name for task in under_way.tasks), *under_way.unscored]
    if under_way.only is None and len(lacking) < every:
        show.say(f"\n{every - len(lacking)} of {every} trials are there already")
    told = {"study": spec.name, "question": spec.question, "home": remote.origin(store.home)}
    show.event("study", **told, trials=under_way.trials + len(under_way.unscored), finished=every - len(lacking))
    for damage in filter(None, map(store.damage, lacking)):
        show.warn(damage)


def score(under_way: UnderWay, show: Show) -> None:
    """Score the simulations from elsewhere, here and now: a table that cannot be used is known before anything is trained."""
    if not under_way.unscored:
        return
    from studyhub.runner import external

    prepared = under_way.prepared
    shards = prepared.data(show.say)
    under_way.keep()
    for cell in prepared.plan.cells:
        arm = prepared.spec.arm(cell.arm)
        if cell.trial in under_way.unscored and isinstance(arm, ExternalArm):
            one = under_way.unscored[cell.trial]
            result = external.run(cell.trial, one, arm.table, shards, prepared.store)
            fold = f", fold {cell.fold}" if len(prepared.plan.folds) > 1 else ""
            show.say(f"{arm.name}{fold}: {external.told(result, len(one.test_basins))}")


def train(under_way: UnderWay, show: Show, address: str | None) -> bool:
    """Check all that can be checked, then run what is missing; return whether a signal stopped it."""
    from studyhub.runner.workers.cluster import cluster
    from studyhub.runner.workers.share import Shares, measured
    from studyhub.runner.workers.tune import run

    store, resources = under_way.prepared.store, under_way.prepared.spec.resources
    with ExitStack() as stack:
        with show.busy("starting Ray"):
            there = stack.enter_context(cluster(address))
        device = Shares(resources, there.nodes, under_way.trials).device
        if device != under_way.prepared.backend:
            show.say(f"the trials run on {'GPUs' if device == 'cuda' else 'CPUs'}, as the nodes of the cluster have them; planned anew")
            under_way.begin(device)
        shards = under_way.prepared.data(show.say)
        with show.busy("asking the nodes what they have"):
            there.equip(remote.origin(store.home), under_way.prepared.shards)
        memory = measured(under_way.results()) if device == "cuda" else {}
        shares = Shares(resources, there.nodes, under_way.trials, memory)
        check_data(under_way, shards, show)
        under_way.keep()
        stack.enter_context(launching(store.study_folder(under_way.prepared.spec.name)))
        _precompile(under_way, there, shares.device, show)
        schedule = Schedule(under_way.prepared.plan, store, under_way.searches, under_way, under_way.only)
        stack.enter_context(mirroring(store, under_way.prepared.spec.name, show.warn))
        under_way.progress = stack.enter_context(Progress(under_way.all_rows(), show))
        place = {"home": store.home, "shards": under_way.prepared.shards}
        return run(schedule, **place, shares=shares, progress=under_way.progress, row=under_way.row)


def check_data(under_way: UnderWay, shards: "Shards", show: Show) -> None:
    """See that the data hold what trials will need, those too that searches are still to bring."""
    from studyhub.data.check import check

    with show.busy("checking the data") as shown:
        check(shards, under_way.to_check(), lambda done, of: shown(f"checking the data: {done} of {of} basins"))


def _precompile(under_way: UnderWay, there: "Cluster", device: str, show: Show) -> None:
    """Compile what the nodes have not compiled yet. Where that fails, trials do it themselves."""
    from studyhub.runner.precompile import compile_lacking, wanted

    kernels = wanted((task.trial for task in under_way.tasks), device)
    if not kernels or not there.joined and all(kernel.there() for kernel in kernels):
        return
    if not there.joined:
        show.say(f"compiling up to {len(kernels)} kernel{'s' if len(kernels) > 1 else ''} (once per machine, about 20 s each)")
    with show.busy("compiling kernels"):
        for node, outcome in there.each(compile_lacking, kernels):
            faults = [f"kernels could not be compiled ahead ({outcome})"] if isinstance(outcome, Exception) else outcome[1]
            for fault in faults:
                show.warn(f"{node.name}: {fault}" if there.joined else fault)
