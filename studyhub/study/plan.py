"""From a study to its trials: cells (arm x fold x seed), and the id that says what a trial is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from studyhub.catalog import TARGET, variables
from studyhub.study import splits
from studyhub.study.arms import Arm
from studyhub.study.candidates import candidate_of, within
from studyhub.study.cells import Cell
from studyhub.study.external import SEED, ExternalArm, content_hash
from studyhub.study.facts import DataFacts, Facts, Hashes, chosen_basins, remarks, require
from studyhub.study.ids import ids_of, kind_of, placeholder, trial_id
from studyhub.study.parents import parents_first
from studyhub.study.settings import External, Trial
from studyhub.study.space import Params, Search, SearchSettings
from studyhub.study.spec import StudySpec
from studyhub.study.splits import Fold, LeftOut

__all__ = ["DataFacts", "Facts", "Plan", "kind_of", "plan", "trial_id"]

NOTHING: Mapping = MappingProxyType({})


@dataclass(frozen=True)
class Plan:
    """Every cell of a study, and by its id every trial that trains and every simulation from elsewhere. Other studies may share them.

    ``folds`` are those that the cells count; ``left_out`` are basins of the study's data that take no part in it, or not in all of it.
    ``searches`` are those of every searched arm in every fold, ended or not. ``open`` are the placeholders of cells whose trial is not
    known yet, since the search of their arm, or of its parent, has not chosen. ``remarks`` are on the data.
    """

    cells: tuple[Cell, ...]
    trials: dict[str, Trial]
    externals: dict[str, External] = field(default_factory=dict)
    folds: tuple[Fold, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    open: frozenset[str] = frozenset()
    searches: tuple[Search, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def basins(self) -> tuple[str, ...]:
        """Basins that any trial is tested on."""
        judged = (*self.trials.values(), *self.externals.values(), *self.folds)
        distinct = dict.fromkeys(one.test_basins for one in judged)
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
        The study chooses basins that the data do not have, or none at all; its folds cannot be made; an arm needs what the data lack; an
        external arm's table cannot be read; a fold has too few basins to keep some aside for a search; or a surface is asked for in a basin
        that is not tested.
    """
    require(spec, data)
    basins, flagged = chosen_basins(spec, data)
    division = spec.division
    folds, left_out = splits.divide(division.rule, division.records, division.split, data, basins)
    if spec.surface is not None:
        spec.surface.require_basins(basin for fold in folds for basin in fold.test_basins)
    making = _Making(spec, Hashes(data), backend)
    found: dict[str, list[Cell]] = {}
    for arm in parents_first(spec.arms):
        if isinstance(arm, ExternalArm):
            found[arm.name] = making.external(arm, folds)
        else:
            parents = found.get(arm.init_from) if arm.init_from else None
            found[arm.name] = making.cells(arm, folds, chosen, parents)
    searches = spec.search and tuple(making.searches(spec.search, folds)) or ()
    cells = tuple(cell for arm in spec.arms for cell in found[arm.name])
    left, remarked = (*flagged, *left_out), remarks(spec, data, basins)
    return Plan(cells, making.trials, making.externals, folds, left, frozenset(making.open), searches, remarked)


class _Making:
    """Cells and trials of a study, as they are made arm by arm."""

    def __init__(self, spec: StudySpec, hashes: Hashes, backend: str):
        self.spec, self.hashes, self.backend = spec, hashes, backend
        self.trials: dict[str, Trial] = {}
        self.externals: dict[str, External] = {}
        self.open: set[str] = set()
        self._contents: dict[tuple[int, tuple[str, ...]], str] = {}

    def external(self, arm: ExternalArm, folds: Sequence[Fold]) -> list[Cell]:
        table, cells = content_hash(arm), []
        for fold in folds:
            content = self.hashes.of(fold.test_basins, (TARGET,))
            external = External(table, arm.columns, self.spec.split.test, fold.test_basins, content)
            cells.append(Cell(arm.name, fold.number, SEED, trial_id(external)))
            self.externals[cells[-1].trial] = external
        return cells

    def cells(
        self, arm: Arm, folds: Sequence[Fold], chosen: Mapping[tuple[str, int], Params], parents: Sequence[Cell] | None
    ) -> list[Cell]:
        """Cells of an arm; those of its parent have the same folds and seeds in the same order."""
        cells = []
        of = iter(parents or ())
        for fold in folds:
            first = self._trial(arm, fold, chosen)
            called = None if first is None else ids_of(first)
            for seed in self.spec.seeds:
                parent = next(of).trial if parents is not None else None
                if first is None or called is None or parent in self.open:
                    assert self.spec.search is not None, "only what a search leaves open is not known"
                    name = placeholder(self.spec.search, arm.name, fold.number, seed)
                    self.open.add(name)
                else:
                    name = called(seed, parent)
                    self.trials[name] = replace(first, seed=seed, parent=parent)
                cells.append(Cell(arm.name, fold.number, seed, name, parent))
        return cells

    def _trial(self, arm: Arm, fold: Fold, chosen: Mapping[tuple[str, int], Params]) -> Trial | None:
        """An arm's trial in a fold, with the first seed and no parent; None where its search has not chosen."""
        model, training = arm.model, arm.training
        if arm.searched is not None:
            params = chosen.get((arm.name, fold.number))
            if params is None:
                return None
            model, training = arm.searched.configure(params)
        training, lists = within(training, fold.train_basins), (fold.train_basins, fold.test_basins)
        used = variables(model)
        if (fold.number, used) not in self._contents:  # arms by the thousand read the same
            self._contents[fold.number, used] = self.hashes.of(fold.train_basins + fold.test_basins, used)
        content = self._contents[fold.number, used]
        fill, seed = self.spec.data.fill, self.spec.seeds[0]
        return Trial(model, training, self.spec.split, *lists, seed, content, fill=fill, backend=self.backend)

    def searches(self, settings: SearchSettings, folds: Sequence[Fold]) -> Iterator[Search]:
        for arm in self.spec.arms:
            if isinstance(arm, Arm) and arm.searched is not None:
                for fold in folds:
                    candidate = candidate_of(arm.searched, settings, self.spec, fold, self.hashes, self.backend)
                    yield Search(arm.name, fold.number, settings, arm.searched.domains, candidate)
