"""A study that is killed again and again, and what must be true of it in the end. Run by hand, for an hour: python tests/chaos.py

Tiny trials on virtual basins, some of which start from the weights of others. Killed with -9, at random moments: the launch, a worker, a
daemon of Ray's, or all of them at once; then launched again, until it is done. Where a study is done before all kills are spent, the same
goes on with another home. Then, for each home: every trial has exactly one result, none was run to its end twice, and all scores, weights
and losses are bitwise those of a study that nobody disturbed. Linux only: processes are looked up in /proc.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from studyhub.prepared import prepare
from studyhub.study.store import Store
from studyhub.underway import UnderWay

STUDY = """\
question: Does it matter how often a study is killed?
data: {{reader: synthetic, basins: 6, years: 6}}
split:
  train: [1986-10-01, 1988-09-30]
  validation: [1988-10-01, 1989-09-30]
  test: [1990-10-01, 1991-09-30]
  warmup: 100
  test_warmup: 200
shared: {{model: lstm, forcing: [prcp, tmean, pet], attributes: [p_mean, aridity], hidden_size: 8, dropout: 0.3}}
training: {{epochs: {epochs}, batch: 6, window: 180, updates_per_epoch: {updates}, optimizer: adam, learning_rate: 0.005}}
arms:
  last: {{}}
  best: {{checkpoint: best}}
  hybrid: {{model: dpl, scheme: sequential, components: 2, epochs: {few}}}
  tuned: {{init_from: {{arm: last}}, learning_rate: 0.001, epochs: {few}}}
seeds: {seeds}
"""
SEARCH = """\
search:
  parameters: {learning_rate: {low: 0.0005, high: 0.05, log: true}}
  arms: [hybrid]
  budget: 6
  batch: 3
  scheduler: halving
  rungs: [2]
"""
ARMS = 4
VICTIMS = ("launch", "worker", "daemon", "all")
DAEMONS, WORKER = ("raylet", "gcs_server"), "ray::ImplicitFunc"


def write_study(path: Path, trials: int, epochs: int, updates: int, *, search: bool = False) -> Path:
    seeds = list(range(1, trials // ARMS + 1))
    text = STUDY.format(epochs=epochs, few=max(epochs // 3, 4), updates=updates, seeds=seeds)
    path.write_text(text + (SEARCH if search else ""))
    return path


@dataclass(frozen=True)
class Process:
    """One that runs now."""

    pid: int
    parent: int
    name: str
    command: str


def below(pid: int) -> Iterator[Process]:
    """All descendants of a process."""
    every: list[Process] = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (path / "stat").read_text().partition("(")[2].rpartition(")")
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        every.append(Process(int(path.name), int(rest.split()[1]), name, command))
    found = {pid}
    while new := [process for process in every if process.parent in found and process.pid not in found]:
        yield from new
        found |= {process.pid for process in new}


@dataclass
class Killer:
    """Launches a study until it is done, and kills what runs of it.

    Parameters
    ----------
    victims : one for each kill
    pause : mean time from a trial's epoch to a kill [s]; every fifth kill comes earlier, while workers start
    """

    study: Path
    victims: list[str]
    pause: float
    draw: random.Random
    killed: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    launches: int = 0
    lingered: float = 0.0

    def finish(self, home: Path) -> None:
        """Launch until the study is done."""
        while (code := self.launch(home)) != 0:
            self.codes[code] += 1
            assert self.launches < 1000, "it does not come to an end"

    def launch(self, home: Path) -> int:
        command = [sys.executable, "-m", "studyhub.launch", str(self.study), "--home", str(home)]
        self.launches += 1
        running: dict[int, Process] = {}
        with (home / f"launch-{self.launches:03}.log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
            while process.poll() is None:
                if self.victims and self._wait(process, home):
                    running = _parts(process.pid)
                    if self._kill(process.pid, running, self.victims[0]):
                        self.killed[self.victims.pop(0)] += 1
                time.sleep(0.1)
        self._wait_for_end(running)
        return process.returncode

    def _wait(self, process: subprocess.Popen, home: Path) -> bool:
        """Wait for what is to be killed; False where the launch has ended meanwhile."""
        began, early = time.time(), self.draw.random() < 0.2
        while process.poll() is None and not (_works(process.pid) if early else _newest_epoch(home) > began):
            time.sleep(0.05)
        try:
            process.wait(self.draw.expovariate(1 / self.pause))
            return False
        except subprocess.TimeoutExpired:
            return True

    def _kill(self, pid: int, running: dict[int, Process], victim: str) -> bool:
        daemons = [process.pid for process in running.values() if process.name in DAEMONS]
        workers = [process.pid for process in running.values() if process.name not in DAEMONS]
        targets = {"launch": [pid], "worker": workers, "daemon": daemons, "all": [pid, *daemons, *workers]}[victim]
        if victim in ("worker", "daemon") and targets:
            targets = [self.draw.choice(targets)]
        for target in targets:
            with suppress(ProcessLookupError):
                os.kill(target, signal.SIGKILL)
        return bool(targets)

    def _wait_for_end(self, running: dict[int, Process]) -> None:
        """See how long it takes until nothing of a launch trains any more; agents of Ray's that idle on for a minute are no matter."""
        begun = time.monotonic()
        while left := [pid for pid in running if _lives(pid)]:
            assert time.monotonic() - begun < 60, f"processes of a launch that has ended still run: {left}"
            time.sleep(0.1)
        self.lingered = max(self.lingered, time.monotonic() - begun)


def _parts(pid: int) -> dict[int, Process]:
    """Daemons and workers of a launch."""
    return {one.pid: one for one in below(pid) if one.name in DAEMONS or one.command.startswith(WORKER)}


def _works(pid: int) -> bool:
    return any(process.name not in DAEMONS for process in _parts(pid).values())


def _newest_epoch(home: Path) -> float:
    """When a trial last ended an epoch."""
    return max((path.stat().st_mtime for path in home.glob("store/trials/*/attempt-*/epochs/*.json")), default=0.0)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@dataclass(frozen=True)
class Found:
    """What a trial left behind."""

    scores: bytes
    weights: dict[str, bytes]
    losses: list[tuple[float, float | None]]


def look(store: Store, trial: str) -> Found:
    attempt = store.latest_attempt(trial)
    assert attempt is not None
    scores = pd.read_parquet(attempt / "scores.parquet")
    numbers = scores.select_dtypes("number").to_numpy(dtype=float)
    epochs = [json.loads(path.read_text()) for path in sorted((attempt / "epochs").glob("*.json"))]
    with np.load(attempt / "weights.npz") as weights:
        arrays = {name: weights[name].tobytes() for name in weights.files}
    told = "".join(scores.select_dtypes(exclude="number").astype(str).to_numpy().ravel()).encode()
    return Found(numbers.tobytes() + told, arrays, [(epoch["loss"], epoch["validation"]) for epoch in epochs])


def attempts(store: Store, trial: str) -> list[str]:
    """Logs of a trial's attempts."""
    folders = sorted(store.trial_folder(trial).glob("attempt-*"))
    return [(folder / "log.txt").read_text() if (folder / "log.txt").exists() else "" for folder in folders]


def verify(study: Path, disturbed: Path, undisturbed: Path) -> Counter[str]:
    """Assert all that must be true, and count."""
    under_way, stores = UnderWay(prepare(study, disturbed)), (Store(disturbed), Store(undisturbed))
    assert not under_way.open, "trials were lost"
    searches, others = (store.searches(study.stem) for store in stores)
    assert searches == others, "a search has gone another way than undisturbed"
    tried = {row["trial"]: row["state"] for search in searches for row in search["trials"]}
    counts: Counter[str] = Counter()
    for trial in dict.fromkeys((*under_way.prepared.plan.trials, *tried)):
        logs = attempts(stores[0], trial)
        counts += Counter(attempts=len(logs), resumed=sum("goes on from" in log for log in logs), disturbed=len(logs) > 1)
        if tried.get(trial) == "stopped":  # left at a rung
            continue
        ends = sum(bool(re.search(r"Z finished$", log, re.MULTILINE)) for log in logs)
        assert stores[0].state(trial) == "finished", f"{trial} was lost: {stores[0].state(trial)}"
        assert ends == 1, f"{trial}: {ends} attempts ran to the end"
        assert look(stores[0], trial) == look(stores[1], trial), f"{trial}: another outcome than undisturbed"
        counts += Counter(trials=1)
    return counts


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40, help=f"a multiple of {ARMS}")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--updates", type=int, default=40, help="per epoch")
    parser.add_argument("--pause", type=float, default=4.0, help="mean time from a trial's epoch to a kill [s]")
    parser.add_argument("--search", action="store_true", help="one of the arms is searched first, with six more trials")
    parser.add_argument("--victims", default=",".join(VICTIMS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="for homes and logs, which stay; a temporary one otherwise")
    given = parser.parse_args(arguments)
    folder = given.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(given.seed)
    kinds = given.victims.split(",")
    victims = [kinds[number % len(kinds)] for number in range(given.kills)]
    draw.shuffle(victims)
    study = write_study(folder / "chaos.yaml", given.trials, given.epochs, given.updates, search=given.search)
    killer = Killer(study, victims, given.pause, draw)

    undisturbed = folder / "undisturbed"
    undisturbed.mkdir(exist_ok=True)
    begun = time.monotonic()
    Killer(killer.study, [], 1.0, draw).finish(undisturbed)
    print(f"undisturbed: {given.trials} trials in {time.monotonic() - begun:.0f} s", flush=True)

    begun, rounds, counts = time.monotonic(), 0, Counter[str]()
    while killer.victims:
        rounds += 1
        home = folder / f"home-{rounds}"
        home.mkdir(exist_ok=True)
        killer.finish(home)
        counts += verify(killer.study, home, undisturbed)
        print(f"{home}: {killer.killed.total()} kills so far, {dict(counts)}", flush=True)
    took = time.monotonic() - begun
    print(f"killed: {dict(killer.killed)}; {rounds} studies, {killer.launches} launches in {took:.0f} s")
    print(
        f"exit codes of launches that did not end the study: {dict(killer.codes)}; nothing trained on for more than {killer.lingered:.1f} s"
    )
    print(f"{counts['trials']} trials: every one finished once, {counts['disturbed']} of them in more than one attempt;")
    print(f"{counts['attempts']} attempts, {counts['resumed']} of which went on from a checkpoint;")
    print("scores, weights and losses are bitwise those of the undisturbed study")


if __name__ == "__main__":
    main()
