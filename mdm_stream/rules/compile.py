"""The validated model -> the compiled :class:`~mdm_stream.core.ruleset.Ruleset`, and its digest."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from mdm_stream.core.canonical import digest_of
from mdm_stream.core.f_version import bind
from mdm_stream.core.model import STEWARD_SOURCE
from mdm_stream.core.name_patterns import ATTRIBUTE_PATTERN, SOURCE_PATTERN, TABLE_PATTERN
from mdm_stream.core.ruleset import EVIDENCE_MARGIN_BITS, Attribute, Ruleset, Source
from mdm_stream.core.standardise import TYPE_OPTIONS
from mdm_stream.core.standardise.patterns import PatternError, compile_pattern
from mdm_stream.core.wire_formats import WIRE_FORMATS
from mdm_stream.rules.attribute_types import check_also, check_options, check_type, country_of
from mdm_stream.rules.compile_blocking import compile_blocking
from mdm_stream.rules.compile_clock import compile_clock
from mdm_stream.rules.compile_columns import check_ignored, compile_columns, compile_unavailable
from mdm_stream.rules.compile_delivery import check_prefixes, compile_delivery
from mdm_stream.rules.compile_files import compile_files
from mdm_stream.rules.compile_histories import compile_histories
from mdm_stream.rules.compile_match import compile_match
from mdm_stream.rules.compile_placeholders import compile_placeholders
from mdm_stream.rules.compile_survivorship import compile_survivorship, with_sensitive_wholes
from mdm_stream.rules.conditions import unknown_attribute
from mdm_stream.rules.findings import Findings
from mdm_stream.rules.learned import LearnedModel
from mdm_stream.rules.model import RulesetModel, SourceModel
from mdm_stream.rules.tree import Node

ATTRIBUTES_MAX = 500
"""As many as one event may carry."""

PATTERNS_MAX = 100
"""Attributes with a pattern, each of which may take some megabytes of memory in every process."""

_NOT_MEANING = frozenset({"version", "digest", "label", "text", "ignore", "files", "terms_of"})
_LEFT_OUT: Mapping[str, Any] = {
    "unavailable_value": None,
    "publish": (),
    "clustering": "components",
    "evidence_margin": EVIDENCE_MARGIN_BITS,
    "terms": None,
    "dependences": (),
    "refined_above": None,
    "also": (),
    "word_weights": None,
}
"""Fields that came after rules were in use, with their values if left out: such rules keep their digest."""


def compile_ruleset(
    model: RulesetModel, tree: Node, findings: Findings, learned: LearnedModel | None = None
) -> Ruleset:
    """Compile a validated rule set; ``tree`` says where everything was written; ``learned`` is the model it names.

    Every problem goes to ``findings``. If any is an error the result is incomplete and must not be used. The digest is
    that of the rules' own meaning, bound to the F that this process runs.
    """
    attributes = _attributes(model, tree.at(("attributes",)), findings)
    positions = {attribute.name: place for place, attribute in enumerate(attributes)}
    rules = Ruleset(
        domain=model.domain,
        version=model.version,
        digest="",
        attributes=attributes,
        sources=_sources(model, tree.at(("sources",)), attributes, findings),
        placeholders=compile_placeholders(model.placeholders, tree, attributes, findings),
        blocking=compile_blocking(
            model.blocking,
            tree.at(("blocking", "keys")),
            positions,
            lambda parts: digest_of(_meaning(parts)),
            findings,
        ),
        max_block_size=model.blocking.max_block_size,
        max_cluster_size=model.limits.max_cluster_size,
        max_keys=model.blocking.max_keys,
        max_links=model.limits.max_links,
        max_reviews=model.limits.max_reviews,
        match=compile_match(model.match, tree.at(("match",)), attributes, findings, learned),
        survivorship=compile_survivorship(
            model.survivorship, tree.at(("survivorship",)), attributes, tuple(model.sources), findings
        ),
        publish=tuple(sorted(set(model.publish))),
    )
    return with_digest(with_sensitive_wholes(rules))


def with_digest(rules: Ruleset) -> Ruleset:
    """Return a rule set with the digest of its meaning, bound to the F that this process runs."""
    return dataclasses.replace(rules, digest=bind(digest_of(_meaning(rules))))


def _meaning(value: Any) -> Any:
    """Return what decides outcomes, as JSON values: no version, no digest, no texts that only people read."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.name not in _NOT_MEANING]
        # Source.version names a column, which is meaning; Ruleset.version is a number, which is not.
        names += ["version"] if isinstance(value, Source) else []
        names = [name for name in names if name not in _LEFT_OUT or getattr(value, name) != _LEFT_OUT[name]]
        return {name: _meaning(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): _meaning(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_meaning(item) for item in value]
    return value


def _attributes(model: RulesetModel, node: Node, findings: Findings) -> tuple[Attribute, ...]:
    if not model.attributes:
        findings.error(node.place, "the domain has no attributes; expected at least one; add it")
    if len(model.attributes) > ATTRIBUTES_MAX:
        findings.error(node.place, f"{len(model.attributes)} attributes; expected at most {ATTRIBUTES_MAX}; split it")
    _check_patterns(model, node, findings)
    compiled = []
    for name, attribute in model.attributes.items():
        own = node.at((name,))
        if not re.fullmatch(ATTRIBUTE_PATTERN, name):
            expected = "lower-case letters, digits and _ after a letter, at most 63 characters"
            findings.error(own.place, f"{name!r} is not a valid attribute name; expected {expected}; rename it")
        check_type(attribute, own, findings)
        for part, target in attribute.fills.items():
            place = own.at(("fills", part)).place
            if target not in model.attributes:
                findings.error(place, unknown_attribute(target, dict.fromkeys(model.attributes, 0)))
            elif target == name:
                findings.error(place, f"{name!r} fills itself; expected another attribute; correct it")
        check_also(name, model.attributes, own, findings)
        country = country_of(name, model.attributes, own, findings)
        given = attribute.model_dump(exclude_none=True, exclude={"country"})
        compiled.append(Attribute(name=name, country=country, **given))
    return tuple(compiled)


def _check_patterns(model: RulesetModel, node: Node, findings: Findings) -> None:
    patterns = {
        name: attribute.pattern for name, attribute in model.attributes.items() if attribute.pattern is not None
    }
    if len(patterns) > PATTERNS_MAX:
        said = f"{len(patterns)} attributes have a pattern; expected at most {PATTERNS_MAX}; drop some"
        findings.error(node.place, said)
        return
    for name, pattern in patterns.items():
        try:
            compile_pattern(pattern)
        except PatternError as error:
            findings.error(node.at((name, "pattern")).place, f"'pattern' {error}")


def _sources(
    model: RulesetModel, node: Node, attributes: tuple[Attribute, ...], findings: Findings
) -> dict[str, Source]:
    known = {attribute.name: attribute for attribute in attributes}
    feeds: dict[tuple[str, str], str] = {}
    compiled: dict[str, Source] = {}
    for name, source in model.sources.items():
        own = node.at((name,))
        if not re.fullmatch(SOURCE_PATTERN, name):
            expected = "letters, digits, '_', '.' and '-', at most 64 of them"
            findings.error(own.place, f"{name!r} is not a valid source name; expected {expected}; rename it")
        if name == STEWARD_SOURCE:
            why = "provenance names it for what stewards decide"
            findings.error(own.place, f"{name!r} is no source's name: {why}; rename the source")
        _check_feed(name, source, own, feeds, findings)
        _check_ways(source, own, known, findings)
        for attribute in source.attributes:
            if attribute not in known:
                place = own.at(("attributes", attribute)).place
                findings.error(place, unknown_attribute(attribute, dict.fromkeys(known, 0)))
        compiled[name] = Source(
            name=name,
            columns=dict(source.attributes),
            options={attribute: dict(options) for attribute, options in source.options.items() if options},
            key=source.key or (),
            column_types=compile_columns(name, source, own, findings),
            ignore=source.ignore or (),
            unavailable_value=compile_unavailable(source, own, findings),
            **compile_clock(source, own, findings),
            histories=compile_histories(source, own, findings),
            **compile_files(source, own, findings),
            files=compile_delivery(model.domain, name, source, own, findings),
            **source.model_dump(include={"format", "table", "version", "event_time", "trust"}),
        )
    check_ignored(model, node, findings)
    check_prefixes(compiled, node, findings)
    return compiled


def _check_ways(source: SourceModel, node: Node, known: Mapping[str, Attribute], findings: Findings) -> None:
    """Check the options that a source has of its own."""
    for name, options in source.options.items():
        own = node.at(("options", name))
        if name not in known:
            findings.error(own.place, unknown_attribute(name, dict.fromkeys(known, 0)))
        elif known[name].type in TYPE_OPTIONS:
            check_options(known[name].type, options, own, findings)


def _check_feed(
    name: str, source: SourceModel, node: Node, feeds: dict[tuple[str, str], str], findings: Findings
) -> None:
    """Check that a source says where its events come from, as far as its format needs, and that none other does too."""
    if WIRE_FORMATS[source.format].needs_table:
        for needed in ("table", "key"):
            if getattr(source, needed) is None:
                what = "the table that feeds it" if needed == "table" else "the columns that identify a row"
                advice = f"add '{needed}: ...'"
                findings.error(node.place, f"source {name!r} has no {needed!r}; {source.format} needs {what}; {advice}")
    if source.table is None:
        return
    place = node.at(("table",)).place
    if not WIRE_FORMATS[source.format].needs_table:
        findings.error(place, f"'table' has no meaning with format {source.format}; remove it or correct the format")
    elif not re.fullmatch(TABLE_PATTERN, source.table):
        findings.error(place, "'table' is not a table; expected schema.table or table; correct it")
    elif (other := feeds.setdefault((source.format, source.table), name)) != name:
        findings.error(place, f"this table already feeds source {other!r}; expected one source a table; drop one")
