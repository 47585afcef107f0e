"""What a launch says in the end: scores, report, and whether all has ended as it should."""

from collections import Counter
from collections.abc import Collection

from studyhub.errors import StoreError, StudyhubError
from studyhub.prepared import Prepared
from studyhub.report.beside import helped
from studyhub.runner.show import Show
from studyhub.runner.stop import ENDED, STOPPED
from studyhub.study import remote
from studyhub.study.leases import ENDS
from studyhub.study.spec import StudySpec
from studyhub.study.wording import duration


@helped()
def conclude(prepared: Prepared, show: Show, seconds: float, *, stopped: bool = False, only: Collection[str] | None = None) -> int:
    """Write scores and report, print what they say, and return the exit code.

    0: every cell ended as its arm may; 1: some did not; 130: stopped before.

    Parameters
    ----------
    seconds : how long the launch took
    stopped : whether a signal ended it
    only : trials that it was about, if not all
    """
    from studyhub.report.collect import collect, write_scores
    from studyhub.report.render import compose, write
    from studyhub.report.terminal import table

    store, name = prepared.store, prepared.spec.name
    try:
        remote.pull_study(store.home, name, want=remote.REPORT, say=show.warn)
    except StoreError as error:  # what was made on this machine is here
        show.warn(str(error))
    results = collect(store, name)
    show.out.print()
    show.out.print(table(results, show.out.width))
    written = {"scores": remote.named(store.home, write_scores(results, store.study_folder(name)))}
    answer: str | None = None
    try:
        page = compose(results)
        answer = page.answer.lead
        show.out.print(f"\n{answer}\n", markup=False, highlight=False)
        report = write(page, remote.reports(store.home) / name)
        written["report"] = str(report)
        remote.push(store.home, name, report.parent)
    except StudyhubError as error:  # the results are safe, and a report can be made at any time
        show.warn(f"{error}; then `studyhub report {name}`")
    for what, path in written.items():
        show.out.print(f"{what}  {path}", markup=False, highlight=False, soft_wrap=True)
    show.out.print(
        f"browse  studyhub ui {remote.named(store.home, store.study_folder(name))}", markup=False, highlight=False, soft_wrap=True
    )
    show.say(f"took {duration(seconds)}")
    runs = [run for run in results.runs if only is None or run.cell.trial in only]
    wrong = sum(unexpected(prepared.spec, run.cell.arm, run.state) for run in runs)
    code = int(wrong > 0)
    if stopped and any(run.state not in ENDS for run in runs):
        code = STOPPED
        show.say(ENDED)
    elif wrong:
        show.warn(f"{wrong} of {len(runs)} trials did not end as expected; `studyhub status {name}` says why")
    show.event(
        "concluded", study=name, code=code, counts=Counter(run.state for run in results.runs), answer=answer, seconds=seconds, **written
    )
    return code


def unexpected(spec: StudySpec, arm: str, state: str) -> bool:
    """Tell whether a cell in this state is not what the study expects in the end."""
    return state != "finished" and not (state == "diverged" and spec.arm(arm).may_diverge)
