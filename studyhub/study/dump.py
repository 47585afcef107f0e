"""Plain values as YAML that reads back unchanged: mappings a key per line, short lists on one line, doubtful text in quotes.

Not ruamel.yaml's own writer: inside brackets it leaves texts such as ``?>`` without quotes, and then cannot read them.
"""

import json
import re
from datetime import date
from functools import lru_cache
from typing import Any

from studyhub.study.yaml import parse

WIDTH = 120
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./+-]*( [A-Za-z0-9_./+-]+)*")
UNPRINTED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def dump(values: dict[str, Any]) -> str:
    """Write a mapping of plain values: dicts, lists, text, numbers, truth values, days and None."""
    return "".join(f"{line}\n" for line in _lines(values))


def _lines(value: Any) -> list[str]:
    """Block style."""
    if isinstance(value, dict):
        return [line for key, item in value.items() for line in _entry(f"{_text(key)}:", item)]
    return [f"- {_flow(item)}" for item in value]


def _entry(key: str, value: Any) -> list[str]:
    flow = f"{key} {_flow(value)}"
    if not isinstance(value, dict | list) or not value or (isinstance(value, list) and len(flow) <= WIDTH):
        return [flow]
    return [key, *(f"  {line}" for line in _lines(value))]


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return _text(value)
    return value.isoformat() if isinstance(value, date) else json.dumps(value)


@lru_cache(maxsize=4096)  # a study has few words, and says them often
def _text(text: str) -> str:
    if PLAIN.fullmatch(text) and parse(text, "").values == text:
        return text
    return UNPRINTED.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))
