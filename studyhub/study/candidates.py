"""The trainings of a search: judged inside the fold's training basins, so that a choice never sees what the fold is tested on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from studyhub.catalog import variables
from studyhub.errors import DataError
from studyhub.study.arms import Searched
from studyhub.study.facts import Hashes
from studyhub.study.settings import Period, Split, Training, Trial
from studyhub.study.space import Params, SearchSettings
from studyhub.study.spec import StudySpec
from studyhub.study.splits import Fold


@dataclass(frozen=True)
class Candidate:
    """Makes the training of what was drawn. Its "test" is the search's validation; ``split`` has no other, but for a best checkpoint."""

    searched: Searched
    split: Split
    validation: Period | None
    train_basins: tuple[str, ...]
    judging_basins: tuple[str, ...]
    seed: int
    fill: str | None
    backend: str
    hashes: Hashes = field(compare=False, repr=False)

    def __call__(self, params: Params) -> Trial:
        model, training = self.searched.configure(params)
        split = replace(self.split, validation=self.validation) if training.checkpoint == "best" else self.split
        lists = self.train_basins, self.judging_basins
        content = self.hashes.of(self.train_basins + self.judging_basins, variables(model))
        return Trial(model, within(training, lists[0]), split, *lists, self.seed, content, fill=self.fill, backend=self.backend)


def candidate_of(searched: Searched, settings: SearchSettings, spec: StudySpec, fold: Fold, hashes: Hashes, backend: str) -> Candidate:
    """Candidates of one arm in one fold.

    Raises
    ------
    DataError
        the fold has too few training basins to keep some aside
    """
    split, train, judging = spec.split, fold.train_basins, fold.train_basins
    if settings.share is not None:
        train, judging = _apart(settings, fold)
    judged = Split(split.train, split.validation or split.train, None, split.warmup, split.test_warmup)
    if split.validation is None:  # basins kept aside are judged in the years that train the others, whose first days can but warm up
        scored = Period(split.train.start + timedelta(days=split.warmup), split.train.end)
        judged = replace(judged, test=scored, test_warmup=split.warmup)
    return Candidate(searched, judged, split.validation, train, judging, settings.seed, spec.data.fill, backend, hashes)


def _apart(settings: SearchSettings, fold: Fold) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Training basins that train, and those that judge: dealt by hash, the same on every machine and whatever the order of the data."""
    basins = fold.train_basins
    count = round(settings.share * len(basins)) if settings.share is not None else 0
    if not 0 < count < len(basins):
        message = f"`search.validation`: a share of {settings.share:g} of the {len(basins)} training basins of fold {fold.number}"
        raise DataError(f"{message} ({fold.name}) leaves none to {'train on' if count else 'judge by'}; take another share, or more basins")
    order = sorted(basins, key=lambda basin: hashlib.sha256(f"search {settings.seed} {basin}".encode()).hexdigest())
    judging = set(order[:count])
    return tuple(basin for basin in basins if basin not in judging), tuple(basin for basin in basins if basin in judging)


def within(training: Training, basins: Sequence[str]) -> Training:
    """Return one spelling of "all basins are in memory", so that they share one trial."""
    enough = training.resident is not None and training.resident >= len(basins)
    return replace(training, resident=None) if enough else training
