"""The reference of the rule language as a page, made from the registries: it has every name that the code knows.

``make rules-reference`` writes ``docs/reference/rules.md`` anew, and a test compares the two. What an example comes to
is computed by the functions that the engine calls.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Iterable, Iterator, Sequence

from pydantic import BaseModel

from mdm_stream.core.blocking.functions import KEY_FUNCTIONS
from mdm_stream.core.blocking.syntax import UNORDERED
from mdm_stream.core.cluster.survive import STRATEGY_NAMES
from mdm_stream.core.match.compare import PREDICATE_KINDS, SIMILARITY_KINDS, UNBOUNDED, holds
from mdm_stream.core.model import MatchValues
from mdm_stream.core.ruleset import Attribute, Predicate, Ruleset
from mdm_stream.core.standardise import STANDARDISERS, TYPE_OPTIONS, TYPE_PARTS
from mdm_stream.core.standardise.registry import COMMON_OPTIONS, COUNTRY_TYPES
from mdm_stream.core.standardise.spec import OptionSpec
from mdm_stream.rules.compile_survivorship import STRATEGY_OPTIONS
from mdm_stream.rules.extend import pack_names
from mdm_stream.rules.load import load_ruleset
from mdm_stream.rules.model import RulesetModel
from mdm_stream.rules.reference_examples import (
    KEY_EXAMPLES,
    KIND_EXAMPLES,
    STRATEGIES,
    STRATEGY_OPTION_FORMS,
    TYPES,
)

LISTED_MAX = 12
"""Allowed texts of an option that the page lists before it says how many there are."""

Row = Sequence[str]

_FORMS: dict[object, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}
_BOUNDS = {"gt": "above", "ge": "from", "lt": "below", "le": "to"}

_HEAD = """# Rules: every name

Written by `make rules-reference` from the code; a test compares them. What the parts of a rule set are for is said in
[rules.md](../guide/rules.md); survivorship has [a page with examples](survivorship.md), and so have
[files](file-rules.md). `mdm-stream rules schema` prints the same names as JSON Schema, for an editor that completes and
checks.
"""


def reference_page() -> str:
    """Return the page as Markdown. ``ValueError`` for a name of a registry without example, or an example of none."""
    for what, named, known in (
        ("type", TYPES, TYPE_OPTIONS),
        ("blocking function", KEY_EXAMPLES, KEY_FUNCTIONS),
        ("comparison", KIND_EXAMPLES, PREDICATE_KINDS),
        ("strategy", STRATEGIES, dict.fromkeys(STRATEGY_NAMES)),
    ):
        if differing := sorted(set(named) ^ set(known)):
            raise ValueError(f"{what} without an example in reference_examples, or an example of none: {differing}")
    parts = [_HEAD, *_settings(), *_types(), *_functions(), *_kinds(), *_strategies()]
    for name in pack_names():
        parts += _pack(name)
    return "\n".join(parts).rstrip() + "\n"


def _settings() -> Iterator[str]:
    """Yield a table for each section of a rule set, from the model."""
    yield "## Settings\n"
    yield _table(
        ("section", "what it says"),
        [
            ("`extends`", f"What this rule set builds on: {_listed(pack_names())}, or the path of a file."),
            *((f"`{_name(name, field)}`", _about(field)) for name, field in RulesetModel.model_fields.items()),
        ],
    )
    seen: set[type[BaseModel]] = set()
    for title, model in _models(RulesetModel, ""):
        if model in seen:
            continue
        seen.add(model)
        rows = [
            (
                f"`{_name(name, field)}`",
                _form(field.annotation) + _bounds(field.metadata),
                _default(field),
                field.description or "",
            )
            for name, field in model.model_fields.items()
        ]
        yield f"### `{title}`\n\n{(model.__doc__ or '').strip()}\n"
        yield _table(("setting", "form", "left out", "what it says"), rows)


def _models(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the models below one with where each stands, ``NAME`` for what an author names; not one in itself."""
    for name, field in model.model_fields.items():
        inner, suffix = _model_in(field.annotation)
        if inner is not None and inner is not model:
            title = f"{path}: {_name(name, field)}{suffix}".lstrip(": ")
            yield title, inner
            yield from _models(inner, title)


def _model_in(annotation: object) -> tuple[type[BaseModel] | None, str]:
    """Return the model that an annotation holds, and how it is reached: ``: NAME`` of a mapping, ``[]`` of a list."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, type) and origin is None:
        return (annotation, "") if issubclass(annotation, BaseModel) else (None, "")
    if origin is typing.Annotated:
        return _model_in(inner[0])
    if origin is dict:
        found, suffix = _model_in(inner[1])
        return found, f": NAME{suffix}"
    if origin is tuple:
        found, suffix = _model_in(inner[0])
        return found, f"[]{suffix}"
    for each in inner:
        found, suffix = _model_in(each)
        if found is not None:
            return found, suffix
    return None, ""


def _form(annotation: object) -> str:
    """Return what a setting's value looks like."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return _listed(str(each) for each in inner)
    if origin in (dict, tuple):
        return f"name: {_form(inner[1])}" if origin is dict else f"list of {_form(inner[0])}"
    if origin is typing.Annotated:
        return _form(inner[0]) + _bounds(inner[1:])
    if inner:
        return " or ".join(dict.fromkeys(_form(each) for each in inner if each is not type(None)))
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return "settings" if is_model else _FORMS.get(annotation, "value")


def _bounds(metadata: Iterable[object]) -> str:
    """Return the bounds of a number, as its annotation has them."""
    found: dict[str, float] = {}
    for each in metadata:
        for constraint in getattr(each, "metadata", [each]):
            found |= {name: value for name in _BOUNDS if (value := getattr(constraint, name, None)) is not None}
    return "".join(f" {_BOUNDS[name]} {found[name]:,}" for name in _BOUNDS if name in found)


def _name(name: str, field: typing.Any) -> str:
    return str(field.alias or name)


def _default(field: typing.Any) -> str:
    if field.is_required():
        return "**needed**"
    value = field.default
    if value is None or isinstance(value, BaseModel) or value in ((), {}):
        return ""
    if isinstance(value, tuple):
        return _code(", ".join(map(str, value)))
    return _code(str(value).lower() if isinstance(value, bool) else f"{value}")


def _about(field: typing.Any) -> str:
    inner, _ = _model_in(field.annotation)
    return str(field.description or (inner.__doc__ if inner else "") or "").strip()


def _types() -> Iterator[str]:
    yield "## Attribute types\n\nThe value is what golden records show, the match value what is compared and blocked.\n"
    rows = []
    for name, (about, examples) in TYPES.items():
        for place, text in enumerate(examples):
            found = STANDARDISERS[name](text, {})
            match = "" if found.match is None else _code(_joined(found.match))
            shown = "" if found.value is None else _code(_joined(found.value))
            rows.append((f"`{name}`" * (not place), about * (not place), _code(text), shown, match))
    yield _table(("type", "holds", "delivered", "value", "match value"), rows)
    yield "### Options of types\n"
    options = [
        (_code(name), _code(option), _values(spec), _code(_text(spec.default)), spec.description)
        for name, own in TYPE_OPTIONS.items()
        for option, spec in own.items()
        if option not in COMMON_OPTIONS
    ]
    options += [
        ("every type", _code(option), _values(spec), _code(_text(spec.default)), spec.description)
        for option, spec in COMMON_OPTIONS.items()
    ]
    yield _table(("type", "option", "values", "default", "says"), options)
    yield f"`fills` takes the parts of {_parts()}. `country` may stand at {_listed(sorted(COUNTRY_TYPES))}.\n"
    yield (
        "```yaml\nattributes:\n  birth_date: {type: date, options: {day_first: true}}\n"
        "  full_name: {type: full_name, fills: {given: given_name, family: family_name}}\n```\n"
    )


def _parts() -> str:
    return "; ".join(f"`{name}`: {_listed(parts)}" for name, parts in TYPE_PARTS.items())


def _functions() -> Iterator[str]:
    yield "## Blocking functions\n\nParts of a key are joined with `+`: `soundex(family_name) + year(birth_date)`.\n"
    rows = []
    for name, (about, text, argument) in KEY_EXAMPLES.items():
        function = KEY_FUNCTIONS[name]
        number = {True: ", n", False: "[, n]", None: ""}[function.needs_argument]
        written = "a" if name == "exact" else f"{name}(a{number})"
        example = "a" if name == "exact" else f"{name}(a{f', {argument}' if argument else ''})"
        found = ", ".join(_code(part) for part in function.apply(text, argument))
        rows.append((_code(written), about, f"{_code(example)} of {_code(text)}", found))
    both = _code(f"{UNORDERED}(first(a, 1), first(b, 1))")
    about = "terms of one function, whose values may change places"
    rows.append((_code(f"{UNORDERED}(x, y)"), about, both, "the same for (ann, lee) and (lee, ann)"))
    yield _table(("function", "yields", "example", "gives"), rows)


def _kinds() -> Iterator[str]:
    yield "## Comparisons\n\nWhat a `when` may ask of two records; of a missing value only `null` and `else` hold.\n"
    rows = []
    for name, (about, threshold, (left, right)) in KIND_EXAMPLES.items():
        kind = PREDICATE_KINDS[name]
        bounds = "" if kind.threshold is None else _range(*kind.threshold)
        written = name if kind.threshold is None else f"{{{name}: {threshold:g}}}"
        predicate = Predicate(name, tuple(range(kind.attributes)), float(threshold))
        if not holds(predicate, _match(left), _match(right)):
            raise ValueError(f"the example of {name!r} does not hold")
        pair = f"{_code(', '.join(left))} and {_code(', '.join(right)) if any(right) else 'nothing'}"
        mean = "yes" if name in SIMILARITY_KINDS else ""
        rows.append((_code(name), about, bounds, _code(f"when: {written}"), pair, mean))
    yield _table(("kind", "holds where", "threshold", "example", "holds of", "`similarity` of a weighted mean"), rows)


def _match(values: Iterable[str]) -> MatchValues:
    return tuple(value or None for value in values)


def _strategies() -> Iterator[str]:
    yield "## Survivorship strategies\n\n[What each means](survivorship.md), to the last tie.\n"
    rows = []
    for name, (about, example) in STRATEGIES.items():
        options = "; ".join(f"`{each}`: {STRATEGY_OPTION_FORMS[each]}" for each in STRATEGY_OPTIONS.get(name, ()))
        rows.append((_code(name), about, options, _code(example)))
    yield _table(("strategy", "keeps", "options", "example"), rows)


def _pack(name: str) -> Iterator[str]:
    """Yield the tables of a pack: attributes with all that looks at them, keys, and placeholders."""
    rules = load_ruleset(name)
    yield f"## Pack `{name}`\n\n`extends: {name}` gives these, each of which may be changed or removed.\n"
    rows = [_pack_row(rules, place, attribute) for place, attribute in enumerate(rules.attributes)]
    yield _table(("attribute", "type", "compared by", "in blocking keys", "survives by"), rows)
    yield _table(("blocking key",), [(_code(key.text),) for key in rules.blocking])
    match = rules.match
    names = _listed(each.name for each in match.deterministic) or "none"
    bounds = f"link from {match.link:g}, review from {match.review:g}"
    yield f"Prior {match.prior:g}; {bounds}; deterministic rules: {names}.\n"


def _pack_row(rules: Ruleset, place: int, attribute: Attribute) -> Row:
    marks = [word for word in ("multi", "sensitive", "required") if getattr(attribute, word)]
    marks += [f"fills {', '.join(attribute.fills.values())}"] if attribute.fills else []
    compared = [
        each.name
        for each in rules.match.comparisons
        if place in each.attributes or any(place in p.attributes for level in each.levels for p in level.when)
    ]
    keys = [key.text for key in rules.blocking if any(part.attribute == place for part in key.parts)]
    rule = next(each for each in rules.survivorship if place in each.attributes)
    together = f" (with {len(rule.attributes) - 1} others)" if len(rule.attributes) > 1 else ""
    survives = ", ".join(strategy.name for strategy in rule.strategies) + together
    kind = f"{_code(attribute.type)}{''.join(f', {mark}' for mark in marks)}"
    return _code(attribute.name), kind, _listed(compared), f"{len(keys)}" if keys else "", survives


def _values(spec: OptionSpec) -> str:
    if spec.kind == "boolean":
        return "true or false"
    if spec.kind == "integer":
        return f"{spec.minimum} to {spec.maximum}"
    allowed = [each for each in spec.allowed if each]
    if not allowed:
        return "text"
    if len(allowed) > LISTED_MAX:
        return f"one of {len(allowed)}: {_listed(allowed[:LISTED_MAX])}, ..."
    return _listed(allowed)


def _range(low: float, high: float) -> str:
    return f"from {low:g}" + ("" if high >= UNBOUNDED or math.isinf(high) else f" to {high:.7g}")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _joined(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else " | ".join(value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(_code(name) for name in names)


def _code(text: str) -> str:
    """Return a text as code in a cell; nothing for none."""
    return f"`{text}`" if text else ""


def _table(headings: Row, rows: Iterable[Row]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)
