"""Pydantic's errors, told with file and line, what was expected and what to do."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from mdm_stream.rules.findings import Findings, nearest, one_of
from mdm_stream.rules.model import RulesetModel
from mdm_stream.rules.setting_types import DAY_PATTERN, DURATION_PATTERN, SIZE_PATTERN
from mdm_stream.rules.tree import Node, plain

_EXPECTED = {
    "string_type": "expected text; put it in quotes",
    "int_type": "expected a whole number; write it without quotes",
    "float_type": "expected a number; write it without quotes",
    "bool_type": "expected true or false",
    "dict_type": "expected 'name: value' entries",
    "model_type": "expected 'setting: value' entries",
    "model_attributes_type": "expected 'setting: value' entries",
    "tuple_type": "expected a list; write [a, b]",
    "finite_number": "expected a finite number",
}

_PATTERNS = {
    f"^{DURATION_PATTERN}$": "is not a duration; expected a number and s, m, h, d or y, such as 36h",
    f"^{SIZE_PATTERN}$": "is not a size; expected a number and kB, MB, GB or TB, such as 200MB",
    DAY_PATTERN: "is not a day; expected YYYY-MM-DD, such as 2026-01-31",
}


def validate(tree: Node, findings: Findings) -> RulesetModel | None:
    """Return the validated model of a merged tree, or None after noting every error of its shape."""
    try:
        return RulesetModel.model_validate(plain(tree))
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            _note(tree, detail["loc"], detail, findings)
        return None


def _note(tree: Node, path: tuple[int | str, ...], detail: Any, findings: Findings) -> None:
    kind = detail["type"]
    context = detail.get("ctx", {})
    name = path[-1] if path else "the rule set"
    place = tree.at(path).place
    if kind == "extra_forbidden":
        known = settings_at(path[:-1])
        where = f" in {_dotted(path[:-1])}" if path[:-1] else ""
        message = f"unknown setting {name!r}{where}{nearest(str(name), known)}; expected {one_of(known)}"
    elif kind == "missing":
        inside = f"{_dotted(path[:-1])} has" if path[:-1] else "the rule set has"
        message = f"{inside} no {name!r}; expected one; add the line '{name}: ...'"
    elif kind == "literal_error":
        value = tree.at(path).content
        close = nearest(value, _quoted(context["expected"])) if isinstance(value, str) else ""
        message = f"{_dotted(path)} is not a known choice{close}; expected {context['expected']}"
    elif kind in _EXPECTED:
        message = f"{_dotted(path)} has the wrong type; {_EXPECTED[kind]}"
    elif kind == "string_pattern_mismatch":
        name_of = "is not a valid name; expected lower-case letters, digits and _ after a letter"
        message = f"{_dotted(path)} {_PATTERNS.get(context['pattern'], name_of)}"
    else:
        message = f"{_dotted(path)} is out of range; {_lower_first(detail['msg'])}; correct it"
    findings.error(place, message)


def _dotted(path: Iterable[int | str]) -> str:
    """Return a path as ``match.comparisons.city.levels[2]``, positions counted from 1."""
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".")


def _lower_first(message: str) -> str:
    return (message[:1].lower() + message[1:]).replace("input should", "it should")


def _quoted(expected: str) -> list[str]:
    return [part for part in expected.split("'") if part.strip(" ,or")]


def settings_at(path: tuple[int | str, ...]) -> list[str]:
    """Return the settings that the model knows at a path, in its order; none where names are the author's own."""
    annotation: Any = RulesetModel
    for step in path:
        model = _model_in(annotation)
        if model is not None and step in model.model_fields:
            annotation = model.model_fields[str(step)].annotation
        else:
            inner = typing.get_args(_unwrapped(annotation))
            annotation = (inner[-1] if inner else Any) if isinstance(step, str) else annotation
    model = _model_in(annotation)
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _unwrapped(annotation: Any) -> Any:
    """Return the type inside ``Annotated`` and ``| None``."""
    while typing.get_origin(annotation) in (typing.Annotated, typing.Union, types.UnionType):
        annotation = typing.get_args(annotation)[0]
    return annotation


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that an annotation stands for, also as the item of a list; None for a mapping of names."""
    inner = _unwrapped(annotation)
    if typing.get_origin(inner) is tuple:
        inner = _unwrapped(typing.get_args(inner)[0])
    return inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None
