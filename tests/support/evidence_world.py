"""The evidence that F has of what was delivered, from the reference, and what the feed has said of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from mdm_stream.contracts.evidence import EVIDENCE, EvidenceKey, key_and_digest
from mdm_stream.contracts.golden import FeedEnvelope, RecordErased, parse_message
from mdm_stream.core import reference
from mdm_stream.core.cluster.clustering import connected
from mdm_stream.core.cluster.golden import resolve_component
from mdm_stream.core.cluster.strongest import kept_edges
from mdm_stream.core.fold import RecordState
from mdm_stream.core.model import make_ref
from mdm_stream.core.plan import evidence
from mdm_stream.core.record import build_record
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.feed.envelope import change_message
from mdm_stream.index.port import OutboxEntry
from mdm_stream.rules.compile import with_digest

PUBLISHED = ("matches", "records", "reviews")


def publishing(rules: Ruleset, *what: str) -> Ruleset:
    """The same rules with this evidence on the feed: all of it if nothing is named."""
    return with_digest(replace(rules, publish=what or PUBLISHED))


def expected_evidence(rules: Ruleset, states: Mapping[str, RecordState]) -> dict[EvidenceKey, str]:
    """The digest of all that is to be known of some states, by what it is about: made from the reference alone."""
    said = []
    if "records" in rules.publish:
        said += [
            evidence.record_changed(rules, build_record(rules, ref, state))
            for ref, state in states.items()
            if not state.erased
        ]
    if "matches" in rules.publish:
        records = {ref: build_record(rules, ref, state) for ref, state in sorted(states.items()) if state.live}
        links = [edge for edge in kept_edges(rules, reference._edges(rules, records)) if edge.link]
        resolved = [
            resolve_component(rules, members, [link for link in links if link.a in members], records)
            for members in connected(records, (link.pair for link in links))
        ]
        said += [evidence.match_changed(rules, *link) for link in evidence.links_of(resolved).values()]
    if "reviews" in rules.publish:
        items = reference.resolve_states(rules, states).review.values()
        said += [evidence.review_changed(rules, item) for item in items]
    return _standing(orjson.loads(change.content) for change in said)


def told_evidence(entries: Iterable[OutboxEntry]) -> dict[EvidenceKey, str]:
    """What a reader of these entries of the outbox knows, by what it is about."""
    return known_evidence(_parsed(change_message(entry)[1]) for entry in entries)


def known_evidence(messages: Iterable[FeedEnvelope]) -> dict[EvidenceKey, str]:
    """What a reader of these messages of one domain knows: the newest of each key, without erased records."""
    newest: dict[EvidenceKey, tuple[tuple[int, int], dict[str, Any]]] = {}
    erased = set()
    for data in (message.data for message in messages):
        if isinstance(data, RecordErased):
            erased.add(make_ref(data.source, data.record_id))
        elif isinstance(data, EVIDENCE):
            content = data.model_dump(mode="json")
            key, _ = key_and_digest(content)
            at = (data.epoch, data.sequence)
            if key not in newest or newest[key][0] < at:
                newest[key] = (at, content)
    gone = {("record", ref, "") for ref in erased}
    return _standing(content for key, (_, content) in newest.items() if key not in gone)


def _standing(contents: Iterable[Mapping[str, Any]]) -> dict[EvidenceKey, str]:
    found = (key_and_digest(content) for content in contents)
    return {key: digest for key, digest in found if digest is not None}


def _parsed(raw: bytes) -> FeedEnvelope:
    message = parse_message(raw, strict=True)
    assert isinstance(message, FeedEnvelope)
    return message
