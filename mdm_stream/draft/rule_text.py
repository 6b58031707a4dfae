"""A drafted rule set as commented YAML. Pure: the same draft gives the same text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mdm_stream.draft.key_choice import KeyCandidate, KeyChoice
from mdm_stream.draft.planned import Doubt, DraftPlan, OptionText, PlannedAttribute, PlannedSource
from mdm_stream.draft.source_keys import SourceKeys
from mdm_stream.draft.weights import DraftLevel

COMMENT_AT = 64
"""The column in which comments at the end of a line begin."""
COMMENT_CHARS_MAX = 150
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"})
_ADDRESS = ("street", "city", "region", "postcode", "country")


@dataclass(frozen=True, slots=True)
class SharedPlaceholder:
    """Values of an attribute that suspiciously many rows share, with how many do."""

    attribute: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class DraftComparison:
    """A comparison of one attribute; ``said`` is its comment.

    If it ``is_packs``, ``attribute`` is the name that the pack gives it, and its levels take the place of the pack's.
    """

    attribute: str
    levels: tuple[DraftLevel, ...]
    said: str = ""
    is_packs: bool = False


@dataclass(frozen=True, slots=True)
class DraftedRules:
    """All that a rule set says. ``keys`` are None in the first draft, which has every candidate in ``candidates``."""

    domain: str
    plan: DraftPlan
    source_keys: Sequence[SourceKeys]
    encodings: Sequence[str | None]
    placeholders: Sequence[SharedPlaceholder]
    candidates: Sequence[KeyCandidate]
    keys: Sequence[KeyChoice] | None
    comparisons: Sequence[DraftComparison]
    prior: float
    prior_said: str
    identical: Sequence[tuple[str, str]]
    """Deterministic rules: name and condition."""
    records: int
    masked: bool = True


def rule_text(rules: DraftedRules) -> str:
    """Return the rule set as YAML, with a comment on each choice."""
    parts = [
        _head(rules),
        _attributes(rules),
        _sources(rules),
        _placeholders(rules),
        _blocking(rules),
        _match(rules),
        _survivorship(rules),
    ]
    return "\n".join(part for part in parts if part)


def quoted(text: str) -> str:
    """Return a text as YAML has it: plain where nothing in it means anything else, else in double quotes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 65_536 else f"\\U{code:08x}"


def comment(text: str) -> str:
    """Return what may stand in a comment: one line, without anything that would end it."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain[:COMMENT_CHARS_MAX]


def _line(text: str, said: str = "") -> str:
    return f"{text.ljust(COMMENT_AT)}  # {comment(said)}" if said else text


def _head(rules: DraftedRules) -> str:
    plan = rules.plan
    points = sorted(plan.subject.points.items(), key=lambda each: (-each[1], each[0]))
    said = ", ".join(f"{name} {worth:g}" for name, worth in points)
    about = {"person": "persons", "organisation": "organisations", "product": "products", "work": "works"}
    lines = [
        "# Drafted by `mdm-stream init` from the files below: each choice has its reason. It is yours to change:",
        "# `mdm-stream rules check` checks it, `mdm-stream rules diff` shows what a change of it would do.",
        "#",
        f"# The records look like {about.get(plan.subject.name, 'things that no pack is for')} ({said}).",
    ]
    if plan.doubts:
        lines += ["#", "# Not sure of, so look at these:"]
        lines += [f"#   {comment(_doubted(each))}" for each in plan.doubts]
    lines.append(f"extends: {plan.subject.pack}" if plan.subject.pack else f"domain: {rules.domain}")
    lines.append("version: 1")
    lines.append(f"description: {quoted(_described(rules))}")
    return "\n".join(lines) + "\n"


def _doubted(doubt: Doubt) -> str:
    where = ": ".join(part for part in (doubt.file, doubt.column and f"column {doubt.column!r}") if part)
    return f"{where} {doubt.said}" if where else doubt.said


def _described(rules: DraftedRules) -> str:
    names = ", ".join(each.file.source for each in rules.plan.sources)
    return f"Drafted from {names}."[:200]


def _attributes(rules: DraftedRules) -> str:
    own = [each for each in rules.plan.attributes if not each.is_packs]
    if not own:
        return ""
    head = "attributes:"
    if rules.plan.subject.pack:
        head = f"# Beside those of the pack {rules.plan.subject.pack}.\nattributes:"
    return (
        "\n".join(
            [head, *(_line(f"  {each.name}: {{{_attribute(each)}}}", _of_attribute(each, rules)) for each in own)]
        )
        + "\n"
    )


def _attribute(attribute: PlannedAttribute) -> str:
    said = [f"type: {attribute.type}"]
    if attribute.multi:
        said.append("multi: true")
    if attribute.sensitive:
        said.append("sensitive: true")
    if attribute.fills:
        said.append(f"fills: {{{', '.join(f'{part}: {name}' for part, name in attribute.fills.items())}}}")
    return ", ".join(said)


def _of_attribute(attribute: PlannedAttribute, rules: DraftedRules) -> str:
    compared = any(each.attribute == attribute.name and not each.is_packs for each in rules.comparisons)
    return "" if compared else "kept, not compared"


def _sources(rules: DraftedRules) -> str:
    lines, named = ["sources:"], set()
    for source, keys, encoding in zip(rules.plan.sources, rules.source_keys, rules.encodings, strict=True):
        for name in keys.parts or (source.file.source,):
            if name not in named:
                lines += _source(name, source, keys, encoding)
            named.add(name)
    return "\n".join(lines) + "\n"


def _source(name: str, source: PlannedSource, keys: SourceKeys, encoding: str | None) -> list[str]:
    renamed = dict(keys.renamed)
    lines = [f"  {quoted(name)}:", "    format: csv"]
    if encoding is not None:
        lines.append(
            _line(f"    csv: {{encoding: {encoding}}}", "found by its letters; declare another one if they look wrong")
        )
    why = "a row has its own" if not keys.copy_because else "; ".join(filter(None, [keys.copy_because]))
    lines.append(_line(f"    key: [{', '.join(quoted(renamed.get(each, each)) for each in keys.key)}]", why))
    if keys.order is not None:
        column = quoted(renamed.get(keys.order.column, keys.order.column))
        lines.append(
            _line(f"    version: {column}", "the newest change of a row wins, in whatever order files are loaded")
        )
        lines.append(f"    version_kind: {keys.order.kind}")
        if keys.order.written is not None:
            lines += [f"    version_format: {quoted(keys.order.written)}", f"    event_time: {column}"]
            lines.append(f"    event_time_format: {quoted(keys.order.written)}")
    else:
        lines.append(
            "    # No version column: a later load supersedes an earlier one (the time of the file, or --as-of)."
        )
    if source.options:
        lines.append("    options:")
        for attribute, options in source.options.items():
            said = ", ".join(f"{option}: {_option(value)}" for option, value in options.items())
            lines.append(_line(f"      {attribute}: {{{said}}}", "as most of its values are written"))
    lines.append("    attributes:")
    for attribute, columns in source.columns.items():
        listed = [quoted(renamed.get(each, each)) for each in columns]
        value = listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
        lines.append(_line(f"      {attribute}: {value}", source.notes.get(attribute, "")))
    if source.left_out:
        lines.append(f"    # Not kept: {comment(', '.join(source.left_out))}.")
    lines.append(_line("    files: {load: incremental}", "files of it may be dropped: `mdm-stream up`, or S3"))
    return lines


def _option(value: OptionText) -> str:
    return (
        ("true" if value else "false")
        if isinstance(value, bool)
        else quoted(value)
        if isinstance(value, str)
        else str(value)
    )


def _placeholders(rules: DraftedRules) -> str:
    if not rules.placeholders:
        return ""
    lines = [
        "# Values that so many rows share that they are no one's own: they count as absent. Look at each.",
        "placeholders:",
    ]
    for shared in rules.placeholders:
        lines.append(f"  shared_{shared.attribute}:")
        lines.append(f"    attributes: {shared.attribute}")
        lines.append("    values:")
        lines += [_line(f"      - {quoted(value)}", f"{count:,} rows") for value, count in shared.values]
    return "\n".join(lines) + "\n"


def _blocking(rules: DraftedRules) -> str:
    lines = [
        f"# Records are compared only if they share a key. Pairs and blocks are those of {rules.records:,} records.",
        "blocking:",
        "  max_block_size: 200",
        "  keys:",
    ]
    if rules.keys is None:
        own = [each for each in rules.candidates if not each.is_packs]
        lines += [f"    {each.name}: {_key(each)}" for each in own]
        return "\n".join(lines) + "\n" if own else ""
    absent = [choice for choice in rules.keys if choice.candidate.is_packs and not choice.measure.records]
    for choice in rules.keys:
        candidate = choice.candidate
        if choice in absent:
            continue
        if candidate.is_packs:
            if choice.is_chosen:
                lines.append(f"    # {candidate.name}: {candidate.expression}, of the pack: {comment(choice.said)}")
            else:
                lines.append(_line(f"    {candidate.name}: {{remove: true}}", f"{candidate.expression}: {choice.said}"))
        elif choice.is_chosen:
            lines.append(_line(f"    {candidate.name}: {_key(candidate)}", f"{candidate.why}: {choice.said}"))
        else:
            lines.append(f"    # {candidate.expression} {comment(choice.said)}")
    if absent:
        listed = ", ".join(each.candidate.name for each in absent)
        lines.append(f"    # Of the pack, for values that these files lack: {listed}")
    if all(line.strip().startswith("#") for line in lines[4:]):
        lines[3] = "  # keys:"
    return "\n".join(lines) + "\n"


def _key(candidate: KeyCandidate) -> str:
    """Return a key as it is written: its expression, or that with what refines it."""
    if candidate.above is None:
        refine = ", ".join(candidate.refine)
        return f'{{key: "{candidate.expression}", refine: [{refine}]}}' if refine else candidate.expression
    return f'{{key: "{candidate.expression}", suspend_above: {candidate.above}}}'


def _match(rules: DraftedRules) -> str:
    lines = ["match:"]
    if not rules.plan.subject.pack:
        lines.append("  method: fellegi_sunter")
    lines.append(_line(f"  prior: {_number(rules.prior)}", rules.prior_said))
    if not rules.plan.subject.pack:
        lines.append("  thresholds: {link: 0.85, review: 0.5}")
    if rules.identical:
        lines.append("  deterministic:")
        lines += [
            f"    {name}: {{when: {{{when}}}, decision: link, confidence: 0.99}}" for name, when in rules.identical
        ]
    if rules.comparisons:
        lines.append(
            "  # Bits are log2(m / u): u as measured here, m as assumed for the type. `rules train` estimates both."
        )
        lines.append("  comparisons:")
    for each in rules.comparisons:
        lines.append(_line(f"    {each.attribute}:", each.said))
        if not each.is_packs:
            lines.append(f"      attributes: [{each.attribute}]")
        lines.append("      levels:")
        lines += [
            _line(f"        - {{when: {level.when}{level.rest}, bits: {level.bits:g}}}", level.said)
            for level in each.levels
        ]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:.10f}".rstrip("0")


def _survivorship(rules: DraftedRules) -> str:
    if rules.plan.subject.pack:
        return ""
    names = {each.name: each for each in rules.plan.attributes}
    lines = [
        "survivorship:",
        "  # What most records say counts, then the newest, then the longest.",
        "  default: [valid_only, most_frequent, most_recent, longest]",
    ]
    own: list[str] = []
    own += [f"    {name}: [valid_only, union]" for name, each in names.items() if each.multi]
    own += [f"    {name}: [valid_only, most_recent]" for name, each in names.items() if each.meaning == "price"]
    own += [f"    {name}: [valid_only, longest]" for name, each in names.items() if each.meaning == "description"]
    address = [name for name in _ADDRESS if name in names]
    if len(address) > 1:
        own.append("    # An address survives whole, from one record.")
        own.append(_group("address", address, "most_complete, most_recent, most_frequent"))
    whole = [name for name in ("given_name", "middle_name", "family_name", "full_name") if name in names]
    if len(whole) > 1:
        composed = ", compose" if {"full_name", "given_name", "family_name"} <= set(whole) else ""
        own.append(_group("person_name", whole, f"most_complete, most_frequent, most_recent{composed}"))
    return "\n".join([*lines, *(["  rules:", *own] if own else [])]) + "\n"


def _group(name: str, attributes: Sequence[str], strategies: str) -> str:
    return f"    {name}: {{attributes: [{', '.join(attributes)}], strategies: [{strategies}]}}"


def attribute_types(attributes: Iterable[PlannedAttribute]) -> dict[str, str]:
    """Return the type of each attribute by its name."""
    return {each.name: each.type for each in attributes}
