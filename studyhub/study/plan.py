"""From a study to its trials: cells (arm x fold x seed), and the id that says what a trial is."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from studyhub.catalog import TARGET, variables
from studyhub.study import splits
from studyhub.study.cells import Cell
from studyhub.study.external import SEED, ExternalArm, content_hash
from studyhub.study.facts import DataFacts, Facts, chosen_basins, require
from studyhub.study.ids import kind_of, trial_id
from studyhub.study.settings import External, Training, Trial
from studyhub.study.space import Params, Search
from studyhub.study.spec import StudySpec
from studyhub.study.splits import Fold, LeftOut

__all__ = ["DataFacts", "Facts", "Plan", "kind_of", "plan", "trial_id"]

NOTHING: Mapping = MappingProxyType({})


@dataclass(frozen=True)
class Plan:
    """Every cell of a study, and by its id every trial that trains and every simulation from elsewhere. Other studies may share them.

    ``folds`` are those that the cells count; ``left_out`` are basins of the study's data that take no part in it, or not in all of it.
    ``searches`` are those of every searched arm in every fold, ended or not. ``open`` are the placeholders of cells whose trial is not
    known yet, since the search of their arm, or of its parent, has not chosen.
    """

    cells: tuple[Cell, ...]
    trials: dict[str, Trial]
    externals: dict[str, External] = field(default_factory=dict)
    folds: tuple[Fold, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    open: frozenset[str] = frozenset()
    searches: tuple[Search, ...] = ()

    @property
    def basins(self) -> tuple[str, ...]:
        """Basins that any trial is judged on."""
        distinct = dict.fromkeys(trial.test_basins for trial in (*self.trials.values(), *self.externals.values()))
        return tuple(dict.fromkeys(basin for basins in distinct for basin in basins))


def plan(spec: StudySpec, data: Facts, backend: str = "cpu", chosen: Mapping[tuple[str, int], Params] = NOTHING) -> Plan:
    """Enumerate a study's cells in the order of its arms, then folds, then seeds.

    Parameters
    ----------
    data : what is known of the basins
    backend : "cpu" or "cuda", on which its trials run
    chosen : (arm, fold) -> what its search has chosen

    Raises
    ------
    DataError
        The study chooses basins that the data do not have, or none at all; its folds cannot be made; an arm needs what the data lack; or an
        external arm's table cannot be read.
    """
    require(spec, data)
    basins, flagged = chosen_basins(spec, data)
    division = spec.division
    folds, left_out = splits.divide(division.rule, division.records, division.split, data, basins)
    hashed = _Hashes(data)
    cells, trials, externals = [], {}, {}
    for arm in spec.arms:
        if isinstance(arm, ExternalArm):
            table = content_hash(arm)
            for fold in folds:
                external = External(table, arm.columns, spec.split.test, fold.test_basins, hashed.of(fold.test_basins, (TARGET,)))
                cells.append(Cell(arm.name, fold.number, SEED, trial_id(external)))
                externals[cells[-1].trial] = external
            continue
        used = variables(arm.model)
        for fold in folds:
            content = hashed.of(fold.train_basins + fold.test_basins, used)
            for seed in spec.seeds:
                training = _of_fold(arm.training, fold)
                lists = fold.train_basins, fold.test_basins
                trial = Trial(arm.model, training, spec.split, *lists, seed, content, fill=spec.data.fill, backend=backend)
                name = trial_id(trial)
                cells.append(Cell(arm.name, fold.number, seed, name))
                trials[name] = trial
    return Plan(tuple(cells), trials, externals, folds, (*flagged, *left_out))


def _of_fold(training: Training, fold: splits.Fold) -> Training:
    """Return one spelling of "all basins are in memory", so that they share one trial."""
    enough = training.resident is not None and training.resident >= len(fold.train_basins)
    return replace(training, resident=None) if enough else training


class _Hashes:
    """Content hashes, each asked for once: the folds of a split often use the same basins, and arms the same variables."""

    def __init__(self, data: Facts):
        self.data, self.known = data, {}

    def of(self, basins: tuple[str, ...], used: tuple[str, ...]) -> str:
        key = (frozenset(basins), used)
        if key not in self.known:
            self.known[key] = self.data.hash(tuple(dict.fromkeys(basins)), used)
        return self.known[key]
