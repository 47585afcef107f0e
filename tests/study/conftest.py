from collections.abc import Callable
from pathlib import Path

import pytest

from studyhub.catalog import ATTRIBUTE_SETS, FORCINGS
from studyhub.study.plan import DataFacts

STUDY = """\
question: Does the scheme matter?
data: {reader: synthetic, basins: 4, years: 10}
split: {train: [1986-10-01, 1991-09-30], test: [1993-10-01, 1995-09-30]}
shared:
  model: dpl
  hidden_size: 8
training:
  epochs: 2
arms:
  sequential: {scheme: sequential}
  implicit: {scheme: implicit}
seeds: [1, 2]
compare:
  - {better: implicit, than: sequential, metric: kge}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a study file: the plain one, with some of its text replaced."""

    def write(*changes: tuple[str, str], name: str = "study.yaml") -> Path:
        text = STUDY
        for old, new in changes:
            assert text.count(old) == 1, f"{old!r} must stand once in the plain study"
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def facts() -> DataFacts:
    basins = tuple(f"basin-{number}" for number in range(1, 5))
    attributes = (*ATTRIBUTE_SETS["table_a1"], *ATTRIBUTE_SETS["climate"])
    return DataFacts(basins, (*FORCINGS, "qobs"), attributes, lambda used, variables: f"{sorted(used)} {sorted(variables)}")
