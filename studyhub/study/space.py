"""What a search varies, and how it chooses: plain values, without the library that draws from them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from studyhub.study.settings import Trial

# Key -> what was drawn for it: a number, or a choice's label. A key that was not drawn (see ``Domain.when``) is missing.
Params = Mapping[str, Any]
NOTHING: Params = MappingProxyType({})


@dataclass(frozen=True)
class Domain:
    """The values that one key of an arm may take.

    Parameters
    ----------
    key : of an arm, such as ``learning_rate``
    low, high : bounds of a number, both included; None for choices
    whole : whole numbers only
    log : drawn on a logarithmic scale
    choices : label -> value, in the order of the file; empty for a number
    when : key -> values (labels, where that key has choices) under which this one is drawn at all. In ``SearchSettings`` keys may be of the
        arm too; in ``Search`` those are settled, and the keys left are of domains that stand before this one
    """

    key: str
    low: float | None = None
    high: float | None = None
    whole: bool = False
    log: bool = False
    choices: tuple[tuple[str, Any], ...] = ()
    when: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    @property
    def ends(self) -> tuple[Any, ...]:
        """Labels of the choices, or the two bounds."""
        return tuple(label for label, _ in self.choices) or (self.low, self.high)

    def is_drawn(self, params: Params) -> bool:
        """Whether this one takes part, beside what was drawn before it."""
        return all(key in params and params[key] in values for key, values in self.when)

    def level(self, drawn: Any) -> Any:
        """Value that a study file would give the key; a rate holds for all epochs."""
        if self.choices:
            return dict(self.choices)[drawn]
        if self.key == "learning_rate":
            return ((1, float(drawn)),)
        return int(drawn) if self.whole else float(drawn)


def point(domains: Sequence[Domain], forced: Params = NOTHING) -> Params | None:
    """One configuration: the first of each domain's ends, and what is ``forced``; None where conditions keep that from being drawn."""
    wanted = dict(forced)
    for domain in reversed(domains):  # what a forced one depends on stands before it
        for key, values in domain.when if domain.key in wanted else ():
            if wanted.setdefault(key, values[0] if values else None) not in values:
                return None
    params: dict[str, Any] = {}
    for domain in domains:
        if domain.is_drawn(params):
            params[domain.key] = wanted.get(domain.key, domain.ends[0])
    return params if wanted.keys() <= params.keys() else None


@dataclass(frozen=True)
class SearchSettings:
    """How each searched arm finds its configuration in each fold.

    Parameters
    ----------
    domains : what is varied; one that has no meaning for an arm takes no part in it
    budget : trainings for each arm and fold, the same for all
    batch : trainings that are drawn at once, from the results of all before them: so a search does not depend on how long they take
    sampler : "tpe", "random" or "grid"
    scheduler : "none"; "halving": the better part of a batch goes on at each rung; "wilcoxon": those go on that are not clearly worse,
        basin by basin, than the best so far
    rungs : epochs at which the scheduler looks
    objectives : metrics, each a median over the validation's basins; of several, the configuration with the least sum of ranks is chosen
    share : part of a fold's training basins that judge, drawn by hash; None: all of them judge, in the validation period
    seed : of the search, and of the training of its trials
    arms : those that are searched; the others train as they are
    """

    domains: tuple[Domain, ...]
    budget: int
    batch: int = 4
    sampler: str = "tpe"
    scheduler: str = "none"
    rungs: tuple[int, ...] = ()
    objectives: tuple[str, ...] = ("nse",)
    share: float | None = None
    seed: int = 1
    arms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Search:
    """The search of one arm in one fold.

    Parameters
    ----------
    domains : those of the settings that this arm has, each after those that its condition names
    trial : parameters -> a training whose "test" is the validation: it never sees the fold's own test
    """

    arm: str
    fold: int
    settings: SearchSettings
    domains: tuple[Domain, ...]
    trial: Callable[[Params], Trial]
