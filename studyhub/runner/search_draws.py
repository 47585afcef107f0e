"""The one door to Optuna: which configurations a search tries next.

A batch is drawn by an Optuna study of its own that knows the results of all batches before it, and nothing else: its generator is seeded
from the search and the number of the batch. So what is drawn depends on neither how long trials take, nor where they run, nor how often a
launch is killed. An asynchronous search, which draws as soon as a trial ends, would depend on all three.
"""

import hashlib
import json
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection

from studyhub.errors import SpecError
from studyhub.study.space import Domain, Params, SearchSettings

REDRAWS, CHANCES = 20, 200  # draws of what was tried before that are put up with: the sampler's, and those by chance
LARGEST = 10_000  # configurations of a grid
BEST, FIVE = 0.1, 5  # share of the configurations that count as the best, and how many of them at least (but half of all at most)
FEWEST = 10  # configurations from which there is anything to be said of what mattered

optuna.logging.set_verbosity(optuna.logging.WARNING)

IsNew = Callable[[Params], bool]


def draw(
    settings: SearchSettings,
    domains: Sequence[Domain],
    fold: int,
    batch: int,
    tried: Sequence[tuple[Params, Sequence[float]]],
    is_new: IsNew,
) -> Iterator[Params]:
    """Yield configurations of one batch until there is none left to try. None comes twice.

    The arm's name is no part of the seed: renaming an arm draws nothing new, and arms with the same domains begin alike.

    Parameters
    ----------
    batch : its number, from 0
    tried : all configurations of earlier batches, with their ranks in each objective
    is_new : called for each configuration that may be yielded; False where it was tried before
    """
    seed = _seed(settings.seed, fold, batch)
    asked = _grid(settings, domains, fold) if settings.sampler == "grid" else _asked(settings, domains, seed, tried, is_new)
    yield from filter(is_new, asked)


def _asked(
    settings: SearchSettings, domains: Sequence[Domain], seed: int, tried: Sequence[tuple[Params, Sequence[float]]], is_new: IsNew
) -> Iterator[Params]:
    """Ask the sampler; where it keeps to what was tried before, ask chance."""
    study = optuna.create_study(directions=[StudyDirection.MINIMIZE] * len(settings.objectives), sampler=_sampler(settings, seed))
    for params, ranks in tried:
        known: dict[str, BaseDistribution] = {domain.key: _distribution(domain) for domain in domains if domain.key in params}
        study.add_trial(optuna.create_trial(params=dict(params), distributions=known, values=list(ranks)))
    chance = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    while True:
        for _ in range(REDRAWS):
            trial = study.ask()
            params = _suggested(trial, domains)
            if is_new(params):
                break
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            drawn = (_suggested(chance.ask(), domains) for _ in range(CHANCES))
            params = next(filter(is_new, chain(drawn, configurations(domains))), None)
            if params is None:
                return
            study.enqueue_trial(dict(params))
            _suggested(study.ask(), domains)
        yield params  # and stays a running one, which keeps the next draws of the batch away from it


def _sampler(settings: SearchSettings, seed: int) -> optuna.samplers.BaseSampler:
    if settings.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=settings.batch, multivariate=True, constant_liar=True)


def _suggested(trial: optuna.Trial, domains: Sequence[Domain]) -> Params:
    params: dict[str, Any] = {}
    for domain in domains:
        if domain.is_drawn(params):
            params[domain.key] = _suggest(trial, domain.key, _distribution(domain))
    return params


def _suggest(trial: optuna.Trial, key: str, distribution: CategoricalDistribution | IntDistribution | FloatDistribution) -> Any:
    match distribution:
        case CategoricalDistribution():
            return trial.suggest_categorical(key, distribution.choices)
        case IntDistribution():
            return trial.suggest_int(key, distribution.low, distribution.high, log=distribution.log)
    return trial.suggest_float(key, distribution.low, distribution.high, log=distribution.log)


def _distribution(domain: Domain) -> CategoricalDistribution | IntDistribution | FloatDistribution:
    if domain.choices:
        return CategoricalDistribution([label for label, _ in domain.choices])
    assert domain.low is not None and domain.high is not None
    if domain.whole:
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


def _grid(settings: SearchSettings, domains: Sequence[Domain], fold: int) -> list[Params]:
    """All configurations, shuffled: a budget smaller than the grid must not leave out the last levels."""
    numbers = [domain.key for domain in domains if _levels(domain) is None]
    if numbers:
        message = f"a grid needs `choices`, or `whole: true`, of each parameter; {', '.join(numbers)} may be any number"
        raise SpecError(f"{message}; give them choices, or take `sampler: tpe` or `random`")
    every = list(islice(configurations(domains), LARGEST + 1))
    if len(every) > LARGEST:
        raise SpecError(f"a grid may have {LARGEST} configurations at most, this one has more; take `sampler: tpe` or `random`")
    random.Random(_seed(settings.seed, fold)).shuffle(every)
    return every


def configurations(domains: Sequence[Domain]) -> Iterator[Params]:
    """Every configuration of a finite space; none of one that has numbers without end."""
    if any(_levels(domain) is None for domain in domains):
        return iter(())
    return _extended({}, domains)


def _extended(params: dict[str, Any], domains: Sequence[Domain]) -> Iterator[Params]:
    if not domains:
        yield params
        return
    first, *others = domains
    if not first.is_drawn(params):
        yield from _extended(params, others)
        return
    for level in _levels(first) or ():
        yield from _extended(params | {first.key: level}, others)


def _levels(domain: Domain) -> Sequence[Any] | None:
    """All that may be drawn of a domain; None where that has no end."""
    if domain.choices:
        return [label for label, _ in domain.choices]
    if domain.whole and domain.low is not None and domain.high is not None:
        return range(int(domain.low), int(domain.high) + 1)
    return [domain.low] if domain.low == domain.high else None


def importance(domains: Sequence[Domain], tried: Sequence[tuple[Params, Sequence[float]]]) -> dict[str, float] | None:
    """Share of each parameter in what sets the best configurations apart, from 0 to 1, by PED-ANOVA; None where too few were tried.

    It compares how each parameter is spread among the best configurations and among all. Several objectives count by the sum of their
    ranks, by which the search chooses too. (Importances from random forests would ask for scikit-learn, and draw by chance.)

    Parameters
    ----------
    tried : configurations, with their ranks in each objective

    References
    ----------
    Watanabe, S. et al. (2023). PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary subspaces. IJCAI 2023, 4389-4396.
    doi:10.24963/ijcai.2023/488
    """
    if len(tried) < FEWEST:
        return None
    study = optuna.create_study(direction=StudyDirection.MINIMIZE)
    for params, ranks in tried:
        known: dict[str, BaseDistribution] = {domain.key: _distribution(domain) for domain in domains if domain.key in params}
        study.add_trial(optuna.create_trial(params=dict(params), distributions=known, value=float(sum(ranks))))
    share = max(BEST, min(FIVE / len(tried), 0.5))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=share)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            found = optuna.importance.get_param_importances(study, evaluator=evaluator)
        except (ValueError, UserWarning):  # every configuration is the same, or as good as every other
            return None
    return {key: float(value) for key, value in found.items()} if sum(found.values()) > 0 else None


def _seed(*parts: int) -> int:
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:4])
