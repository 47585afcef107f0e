"""A study as it will run: read from YAML, checked, with every default filled in, frozen."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from studyhub.errors import SpecError
from studyhub.study.arms import Arm, Draft
from studyhub.study.design import drafts
from studyhub.study.dump import dump
from studyhub.study.external import ExternalArm
from studyhub.study.mistakes import translate
from studyhub.study.names import check_study
from studyhub.study.overrides import apply, derive_name, parse_override, replace_data
from studyhub.study.parents import with_parents
from studyhub.study.resolve import Misplaced, resolve
from studyhub.study.resolve_split import Division
from studyhub.study.resolve_split import resolve as resolve_split
from studyhub.study.search_settings import read_search
from studyhub.study.searched import never_drawn, resolve_searched
from studyhub.study.settings import Split
from studyhub.study.shape import Claim, Resources, ShardFolder, StudyFile, Synthetic
from studyhub.study.space import SearchSettings
from studyhub.study.spec_text import plain
from studyhub.study.splits import Records, Regions
from studyhub.study.surface import Surface, read_surface
from studyhub.study.wording import listed, nearest
from studyhub.study.yaml import Document, Key, combined, load

__all__ = ["Arm", "Claim", "ExternalArm", "Resources", "ShardFolder", "StudySpec", "Synthetic", "read"]


@dataclass(frozen=True)
class StudySpec:
    """A study.

    Parameters
    ----------
    name : name of its folder
    source : the file it was read from, and ``overrides`` what the command line changed
    question : what it asks
    data : virtual basins, or folders of shards
    division : which days and basins train, choose and judge
    arms : the combinations under study, with all defaults filled in, and simulations from elsewhere
    search : how some of them find their configuration first, if any do
    seeds : each arm that is trained is so once with each
    resources : what one trial takes
    compare : its claims
    margin : of metrics, up to which difference arms are equivalent in practice, in place of the catalog's
    surface : what is computed when its trials have ended, for its report alone
    """

    name: str
    source: str
    overrides: tuple[str, ...]
    question: str
    data: Synthetic | ShardFolder
    division: Division
    arms: tuple[Arm | ExternalArm, ...]
    search: SearchSettings | None
    seeds: tuple[int, ...]
    resources: Resources
    compare: tuple[Claim, ...]
    surface: Surface | None = None
    margin: Mapping[str, float] = field(default_factory=dict)

    @property
    def split(self) -> Split:
        """Which days train, choose and judge."""
        return self.division.split

    @property
    def needs_facts(self) -> bool:
        """Whether folds depend on what is known of the basins, so that virtual ones must be made before the study is planned."""
        rule, records = self.division.rule, self.division.records
        return isinstance(rule, Regions) or getattr(rule, "stratify", None) is not None or records != Records() or bool(self.data.without)

    def arm(self, name: str) -> Arm | ExternalArm:
        return next(arm for arm in self.arms if arm.name == name)

    def text(self) -> str:
        """The study as a study file with nothing left to default; reading it gives the same trials."""
        changed = "".join(f"# changed by {override}\n" for override in self.overrides)
        return f"# resolved from {self.source}\n{changed}" + dump(plain(self))


def read(path: str | Path, overrides: Sequence[str] = (), data: Sequence[str] = (), name: str | None = None) -> StudySpec:
    """Read a study file.

    Parameters
    ----------
    path : the file
    overrides : ``path.to.key=value`` texts, values in YAML
    data : shards folders, as paths or URIs, that take the place of the file's data; basins that the file chooses among shards stay chosen
    name : name of the study; else the file's, with the changes from the command line in it

    Raises
    ------
    SpecError
        One message, with file, line and key, for all that is wrong (the first few of it).
    """
    document = load(path)
    if data:
        replace_data(document, data)
    changes = [parse_override(text) for text in overrides]
    for change in changes:
        apply(document, change)
    given = _shape(document)
    division, errors = resolve_split(document, given.split)
    arms, search, problems = _arms(document, given, division.split)
    errors += problems or _claims(document, given, [arm.name for arm in arms])
    surface, problems = (None, []) if given.surface is None or errors else read_surface(document, given.surface, arms)
    errors += problems
    if errors:
        raise _sorted(errors)
    options = (*(f"--data {folder}" for folder in data), *(f"--set {change.text}" for change in changes))
    return StudySpec(
        name=derive_name(path, changes, data) if name is None else check_study(name),
        source=str(path),
        overrides=options,
        question=given.question,
        data=given.data,
        division=division,
        arms=arms,
        search=search,
        seeds=given.seeds,
        resources=given.resources,
        compare=given.compare,
        surface=surface,
        margin=given.evaluate.margin,
    )


def _shape(document: Document) -> StudyFile:
    errors = list(_unquoted(document))
    if errors:  # pydantic would say less well what is wrong with them
        raise _sorted(errors)
    try:
        return StudyFile.model_validate(document.values)
    except ValidationError as error:
        raise _sorted(translate(document, error)) from None


def _unquoted(document: Document) -> Iterator[SpecError]:
    """Ids and codes that YAML reads as numbers."""
    for what, *section in (
        ("basin ids are", "data", "basins"),
        ("basin ids are", "data", "exclude"),
        ("basin ids are", "surface", "basins"),
        ("values of a fact are", "split", "groups"),
        ("values of a fact are", "split", "hold_out"),
    ):
        for key, value in _leaves(document.get(*section), tuple(section)):
            if type(value) in (int, float):
                written = document.texts.get(key, str(value))
                yield document.error(f'{what} text: YAML reads {written} as {value}; put it in quotes: "{written}"', *key)


def _leaves(value: Any, key: Key) -> Iterator[tuple[Key, Any]]:
    """Items of a list, and of lists in it."""
    for index, item in enumerate(value if isinstance(value, list) else []):
        yield (*key, index), item
        yield from _leaves(item, (*key, index))


def _arms(
    document: Document, given: StudyFile, split: Split
) -> tuple[tuple[Arm | ExternalArm, ...], SearchSettings | None, list[SpecError]]:
    said, errors = drafts(document, given)
    search, problems = read_search(document, given.search, said, split) if given.search is not None and not errors else (None, [])
    errors += problems
    arms, problems = _resolved(document, said, search, split)
    errors += problems
    arms, problems = with_parents(document, said, arms)
    errors += problems
    errors += never_drawn(document, search, arms) if search is not None and not errors else []
    seen: dict[Any, Draft] = {}
    by_name = {draft.name: draft for draft in said}
    for arm in arms if not errors else ():
        twin = seen.setdefault(arm.settings, by_name[arm.name])
        if twin.name != arm.name:
            message = (
                f"arms `{twin.name}` and `{arm.name}` come to the same settings, so there is nothing to compare; change one, or take it out"
            )
            errors.append(document.error(message, *by_name[arm.name].home))
    return arms, search, errors


def _resolved(
    document: Document, said: Sequence[Draft], search: SearchSettings | None, split: Split
) -> tuple[list[Arm | ExternalArm], list[SpecError]]:
    arms, found = [], _Found(document)
    searched = () if search is None else frozenset(search.arms)
    for draft in said:
        if search is not None and draft.name in searched and "model" in draft.said:
            arm, problems = resolve_searched(document, draft, search, split)
        else:
            arm, problems = resolve(draft, split)
        found.add(draft, problems)
        arms += [] if arm is None else [arm]
    return arms, list(found.errors())


class _Found:
    """What cannot be run of a study's arms: the same mistake in many of them is said once."""

    def __init__(self, document: Document):
        self.document = document
        self.arms: dict[Misplaced, list[Draft]] = {}

    def add(self, draft: Draft, problems: Iterable[Misplaced]) -> None:
        for problem in problems:
            self.arms.setdefault(problem, []).append(draft)

    def errors(self) -> Iterator[SpecError]:
        for (place, message), arms in self.arms.items():
            made = [draft.name for draft in arms if draft.name != draft.base]
            hint = f" (arm{'s' if len(made) > 1 else ''} {listed(made, most=3)}; `exclude` leaves combinations out)" if made else ""
            yield self.document.error(message + hint, *place)


def _claims(document: Document, given: StudyFile, arms: Sequence[str]) -> Iterator[SpecError]:
    seen: dict[Claim, int] = {}
    for index, claim in enumerate(given.compare):
        for side in ("better", "than"):
            arm = getattr(claim, side)
            if arm not in arms:
                made = [name for name in arms if name.startswith(f"{arm}+")]
                hint = f"factors make these of it: {listed(made, most=5)}" if made else nearest(arm, arms)
                yield document.error(f"there is no arm {arm!r}; {hint}", "compare", index, side)
        if claim.better == claim.than:
            yield document.error(
                f"an arm cannot be better than itself: {claim.better!r}; name two arms of {listed(arms)}", "compare", index
            )
        if seen.setdefault(claim, index) != index:
            yield document.error("this claim is made twice; keep one of them", "compare", index)


def _sorted(errors: Sequence[SpecError]) -> SpecError:
    """All errors as one, in the order of the file's lines, each said once."""
    once = {str(error): error for error in errors}
    return combined(sorted(once.values(), key=lambda error: error.line or 0))
