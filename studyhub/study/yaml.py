"""YAML 1.2 as studies use it: every value knows its line, a key stands once, and nothing but plain values comes out.

ruamel.yaml's safe parser makes the nodes; this module turns them into dicts, lists and scalars, and keeps where each one stands.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from studyhub.errors import SpecError
from studyhub.study.wording import shown

LARGEST = 200_000  # values of one file: more is not a study, but aliases that multiply each other
PLAIN = (str, int, float, bool, date, type(None))
REPORTED = 5  # mistakes that one message names

Key = tuple[str | int, ...]


@dataclass
class Document:
    """A file's values, and for each key the place that wrote it.

    Parameters
    ----------
    file : the file, as the user named it
    values : the mapping that the file holds
    places : key -> line in the file (from 1), or the command-line option that wrote it
    texts : key -> what is written there, for values that are not text
    """

    file: str
    values: Any = None
    places: dict[Key, int | str] = field(default_factory=dict)
    texts: dict[Key, str] = field(default_factory=dict)

    def error(self, message: str, *key: str | int) -> SpecError:
        """Return the error that points at ``key``, or at the nearest place above it that is written."""
        name = ".".join(str(part) for part in key) or None
        place = next((self.places[key[:n]] for n in range(len(key), 0, -1) if key[:n] in self.places), None)
        if isinstance(place, str):
            return SpecError(message, file=place, key=name)
        return SpecError(message, file=self.file, line=place, key=name)

    def get(self, *key: str | int) -> Any:
        """Value at ``key``; None where there is none."""
        value = self.values
        for part in key:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def put(self, value: Any, place: str, *key: str | int, texts: dict[Key, str] | None = None) -> None:
        """Write ``value`` at ``key``, whose parent exists; ``place`` says who wrote it."""
        for known in (self.places, self.texts):
            for old in [old for old in known if old[: len(key)] == key]:
                del known[old]
        parent = self.get(*key[:-1]) if key[:-1] else self.values
        parent[key[-1]] = value
        self.places[key] = place
        self.texts |= {(*key, *inner): text for inner, text in (texts or {}).items()}


def load(path: str | Path, what: str = "study") -> Document:
    """Read a YAML file that holds one mapping of keys to values; ``what`` it is, is for messages.

    Raises
    ------
    SpecError
        The file is missing, unreadable, not UTF-8, not YAML, empty, or holds something other than a mapping.
    """
    file = str(path)
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SpecError(f"a {what} file is required, there is none", file=file) from None
    except IsADirectoryError:
        raise SpecError(f"a {what} file is required, this is a folder", file=file) from None
    except UnicodeDecodeError as error:
        raise SpecError(f"text in UTF-8 is required, byte {error.start} is not; save the file as UTF-8", file=file) from None
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot be read: {getattr(error, 'strerror', None) or error}", file=file) from None
    document = parse(text, file)
    if document.values is None:
        raise SpecError(f"a {what} is required, the file is empty", file=file)
    if not isinstance(document.values, dict):
        raise SpecError(f"a mapping of keys to values is required, got {shown(document.values)}", file=file, line=1)
    return document


def parse(text: str, file: str) -> Document:
    """Turn YAML text into a Document; ``file`` is for messages."""
    yaml = YAML(typ="safe", pure=True)
    document = Document(file)
    try:
        node = yaml.compose(text)
        if node is not None:
            document.values = _Values(yaml, document).value(node, ())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise SpecError(f"not readable as YAML: {_sentence(error)}", file=file, line=line) from None
    except RecursionError:
        raise SpecError("not readable as YAML: nested too deeply", file=file) from None
    except YAMLError as error:
        raise SpecError(f"not readable as YAML: {' '.join(str(error).split())}", file=file) from None
    return document


def combined(errors: Sequence[SpecError]) -> SpecError:
    """One error for several: the first few messages, a line each."""
    first, *rest = errors
    if not rest:
        return first
    more = [f"... and {len(errors) - REPORTED} more"] if len(errors) > REPORTED else []
    joined = SpecError("\n".join([*map(str, errors[:REPORTED]), *more]))
    joined.file, joined.line, joined.key = first.file, first.line, first.key
    return joined


class _Values:
    """Nodes to values, noting places on the way."""

    def __init__(self, yaml: YAML, document: Document):
        self.yaml, self.document, self.count = yaml, document, 0

    def value(self, node: Node, key: Key) -> Any:
        self.count += 1
        if self.count > LARGEST:
            raise SpecError(f"at most {LARGEST} values are allowed in a study", file=self.document.file)
        if isinstance(node, MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return dict(self.pairs(node, key))
        if isinstance(node, SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.item(child, (*key, index)) for index, child in enumerate(node.value)]
        return self.scalar(node, key)

    def item(self, node: Node, key: Key) -> Any:
        self.document.places[key] = node.start_mark.line + 1
        return self.value(node, key)

    def pairs(self, node: MappingNode, key: Key) -> Iterator[tuple[str, Any]]:
        lines: dict[str, int] = {}
        for name_node, value_node in node.value:
            line = name_node.start_mark.line + 1
            name = self.name(name_node, line, key)
            self.document.places[(*key, name)] = line
            if name in lines:
                raise self.document.error(f"written twice, on lines {lines[name]} and {line}; keep one of them", *key, name)
            lines[name] = line
            yield name, self.value(value_node, (*key, name))

    def name(self, node: Node, line: int, key: Key) -> str:
        if isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:str":
            return node.value
        written = node.value if isinstance(node, ScalarNode) else "a list or mapping"
        hint = f'put it in quotes: "{written}"' if isinstance(node, ScalarNode) else "write one word"
        if written == "<<":
            hint = "there is no merging here: what arms have in common stands in `shared`"
        place = f" under `{'.'.join(map(str, key))}`" if key else ""
        raise SpecError(f"a key must be text, got {written}{place}; {hint}", file=self.document.file, line=line)

    def scalar(self, node: Node, key: Key) -> Any:
        try:
            value = self.yaml.constructor.construct_object(node, deep=True)
        except ConstructorError:
            raise self.document.error(f"plain YAML values are required, got the tag {node.tag}", *key) from None
        except (ValueError, OverflowError) as error:
            raise self.document.error(f"not a possible value: {node.value} ({error})", *key) from None
        if not isinstance(node, ScalarNode) or not isinstance(value, PLAIN):
            raise self.document.error(f"plain YAML values are required, got the tag {node.tag}", *key)
        if not isinstance(value, str):
            self.document.texts[key] = node.value
        return value


def _sentence(error: MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    return ", ".join(" ".join(str(part).split()) for part in parts) or "unknown reason"
