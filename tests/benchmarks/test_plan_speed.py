"""Time of a plan of ten thousand trials, all of the process and its output. Run with `pytest tests/benchmarks --benchmark-enable`."""

import subprocess
import sys
from pathlib import Path

import pytest

STUDY = """\
question: How long does a plan take?
data: {{reader: synthetic, basins: 4, years: 6}}
split: {{train: [1986-10-01, 1988-09-30], test: [1990-10-01, 1991-09-30], warmup: 100, test_warmup: 200}}
shared: {{model: lstm, forcing: [prcp, tmean, pet], attributes: [p_mean]}}
training: {{epochs: 2, batch: 4, window: 100, updates_per_epoch: 2}}
arms: {{{arms}}}
seeds: {seeds}
"""


@pytest.mark.parametrize(("arms", "seeds"), [(20, 500), (1000, 10)])
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_plan_of_ten_thousand_trials(benchmark, tmp_path, arms, seeds, options):
    named = ", ".join(f"a{size}: {{hidden_size: {size}}}" for size in range(1, arms + 1))
    path = Path(tmp_path / "wide.yaml")
    path.write_text(STUDY.format(arms=named, seeds=list(range(seeds))))
    command = [sys.executable, "-m", "studyhub", "plan", str(path), "--home", str(tmp_path / "home"), *options]
    benchmark.pedantic(lambda: subprocess.run(command, capture_output=True, check=True), rounds=5, warmup_rounds=1)
