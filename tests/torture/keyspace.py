"""Every key that Redis may hold, and every field in it, worked out from F: nothing may be missing, and nothing be left.

Both sides are given in one form: key (without the domain's prefix) to fields, members or entries. Left out is only what
counts commits or names the server process: stamps, the clock, and the server's id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import redis

from mdm_stream.core.blocking.limits import block_limit
from mdm_stream.core.cluster.clustering import connected
from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.cluster.golden import ResolvedComponent, digest_of_item, resolve_component, review_item
from mdm_stream.core.cluster.strongest import Side, by_side, kept_edges, strongest
from mdm_stream.core.fold import RecordState
from mdm_stream.core.overrides import next_expiry_us
from mdm_stream.core.plan.commit import HeldComponent, HeldGolden, HeldItem, HeldReview
from mdm_stream.core.plan.component_id import component_id_of
from mdm_stream.core.record import Record, build_record
from mdm_stream.core.reference import _edges
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.index.redis.codec import (
    STAMP_LENGTH,
    decode_block,
    decode_record,
    decode_review,
    encode_pair,
    encode_record,
    encode_review,
)
from mdm_stream.index.redis.pages import (
    DIRECTORY,
    decode_page,
    encode_directory,
    encode_page,
    is_stored_whole,
    page_digest,
    pages_of,
)

Keys = dict[str, Any]


def expected_keys(rules: Ruleset, states: Mapping[str, RecordState], held: Keys | None = None) -> Keys:
    """Return what Redis must hold of records, beside counters, queue and outbox.

    While records wait for re-evaluation the edges that are ``held``, and which records keep them, stand in for those of
    F: all else must follow from them.
    """
    records = {ref: build_record(rules, ref, state) for ref, state in states.items()}
    live = {ref: record for ref, record in sorted(records.items()) if record.live}
    edges = kept_edges(rules, _edges(rules, live)) if held is None else _edges_of(held)
    beside = by_side(edge for edge in edges if not edge.link)
    reviews = (
        {e.pair: _held_review(rules, e, beside) for e in edges if not e.link} if held is None else _reviews_of(held)
    )
    resolved = _resolved(rules, live, edges)
    crosswalk = {ref: g.golden_id for component in resolved for g in component.golden for ref in g.members}
    keys: Keys = {
        "rec": {ref: encode_record(record) for ref, record in records.items()},
        "of": {ref: component_id_of(component.members) for component in resolved for ref in component.members},
        "xw": crosswalk,
        "gold": {g.golden_id: g.content for component in resolved for g in component.golden},
        "review": _review(rules, resolved, crosswalk, edges),
        "exp": {ref: end_us for ref, s in states.items() if (end_us := next_expiry_us(s)) is not None},
    }
    keys["since"] = dict.fromkeys(keys["review"], True)
    keys |= _components([_held(rules, component, live) for component in resolved])
    keys |= _blocks(rules, live)
    for (a, b), review in reviews.items():
        for ref, other in ((a, b), (b, a)):
            keys.setdefault(f"e:{ref}", {})[other] = encode_review(review)
            keys.setdefault("es", {})[ref] = True
    return {key: fields for key, fields in keys.items() if fields}


def stored_keys(client: redis.Redis, prefix: str) -> Keys:
    """Return what Redis holds under a prefix, in the form of :func:`expected_keys`."""
    names = sorted(key.decode() for key in client.keys(prefix + "*"))
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.type(name)
    kinds = [kind.decode() for kind in pipe.execute()]
    for name, kind in zip(names, kinds, strict=True):
        read = {"hash": pipe.hgetall, "set": pipe.smembers, "stream": pipe.xrange}.get(kind)
        if read is None:
            pipe.zrange(name, 0, -1, withscores=True)
        else:
            read(name)
    return {
        name.removeprefix(prefix): _comparable(name.removeprefix(prefix), held)
        for name, held in zip(names, pipe.execute(), strict=True)
    }


def differences(stored: Keys, expected: Keys) -> list[str]:
    """Return every key, or field of one, that is not as it should be: what is there, and what should be."""
    found = []
    for key in sorted(stored.keys() | expected.keys()):
        held, wanted = stored.get(key), expected.get(key)
        if isinstance(held, dict) and isinstance(wanted, dict):
            fields = sorted(name for name in held.keys() | wanted.keys() if held.get(name) != wanted.get(name))
            found += [f"{key} {name}: {held.get(name)!r} should be {wanted.get(name)!r}" for name in fields]
        elif held != wanted:
            found.append(f"{key}: {held!r} should be {wanted!r}")
    return found


def states_of(keys: Keys) -> dict[str, RecordState]:
    """Return the states of the records that are stored."""
    return {ref: decode_record(ref, stored).state for ref, stored in keys.get("rec", {}).items()}


def _edges_of(keys: Keys) -> list[Edge]:
    """Return the edges that are stored: links with their components, REVIEW edges with their records."""
    found: dict[tuple[str, str], Edge] = {}
    for stored in (*keys.get("comp", {}).values(), *keys.get("page", {}).values()):
        if not stored.startswith(DIRECTORY):
            found.update((edge.pair, edge) for edge in decode_page(stored).links)
    found.update((pair, review.edge) for pair, review in _reviews_of(keys).items())
    return [found[pair] for pair in sorted(found)]


def _reviews_of(keys: Keys) -> dict[tuple[str, str], HeldReview]:
    stored = [decode_review(item) for name, held in keys.items() if name.startswith("e:") for item in held.values()]
    return {review.edge.pair: review for review in stored}


def _resolved(rules: Ruleset, live: Mapping[str, Record], edges: Iterable[Edge]) -> list[ResolvedComponent]:
    links = [edge for edge in edges if edge.link]
    components = connected(live, (edge.pair for edge in links))
    return [
        resolve_component(rules, members, [edge for edge in links if edge.a in set(members)], live)
        for members in components
    ]


def _held(rules: Ruleset, component: ResolvedComponent, live: Mapping[str, Record]) -> HeldComponent:
    refused = [HeldItem(kept.strongest.edge.pair, digest_of_item(review_item(rules, kept))) for kept in component.apart]
    return HeldComponent(
        "",
        component.members,
        tuple(live[ref].revision for ref in component.members),
        component.links,
        tuple(HeldGolden(g.golden_id, g.digest, g.members) for g in component.golden),
        tuple(sorted(refused, key=lambda item: item.pair)),
    )


def _components(components: Iterable[HeldComponent]) -> Keys:
    """Return components as they are stored: small ones whole, large ones as a directory of pages."""
    whole: dict[str, bytes] = {}
    paged: dict[str, bytes] = {}
    for component in components:
        stored = {page.members[0]: encode_page(page) for page in pages_of(component)}
        component_id = component_id_of(component.members)
        if is_stored_whole(component):
            whole[component_id] = stored[component.members[0]]
        else:
            whole[component_id] = encode_directory({first: page_digest(page) for first, page in stored.items()})
            paged |= stored
    return {"comp": whole, "page": paged}


def _held_review(rules: Ruleset, edge: Edge, beside: Mapping[Side, list[Edge]]) -> HeldReview:
    """Return the stored form of a REVIEW edge among all that are kept: each record's strongest are among them."""
    sides = ((edge.a, True), (edge.b, False))
    return HeldReview(edge, *(edge in strongest(side, beside[side], rules.max_reviews) for side in sides))


def _review(
    rules: Ruleset, resolved: Iterable[ResolvedComponent], crosswalk: Mapping[str, str], edges: Iterable[Edge]
) -> dict[str, bytes]:
    apart = [kept for component in resolved for kept in component.apart]
    stood_for = {frozenset(kept.golden_ids) for kept in apart}
    items = {kept.strongest.edge.pair: review_item(rules, kept) for kept in apart}
    for edge in edges:
        golden_ids = frozenset((crosswalk[edge.a], crosswalk[edge.b]))
        if not edge.link and len(golden_ids) == 2 and golden_ids not in stood_for:
            items[edge.pair] = review_item(rules, edge)
    return {encode_pair(*pair): orjson.dumps(item) for pair, item in items.items()}


def _blocks(rules: Ruleset, live: Mapping[str, Record]) -> Keys:
    blocks: dict[str, dict[str, str]] = {}
    for ref, record in live.items():
        for key in record.keys:
            blocks.setdefault(key, {})[ref] = record.revision
    suspended = {key: members for key, members in blocks.items() if len(members) > block_limit(rules, key)}
    keys: Keys = {"block": {key: "suspended" if key in suspended else members for key, members in blocks.items()}}
    return keys | {f"b:{key}": members for key, members in suspended.items()}


def _comparable(name: str, held: Any) -> Any:
    if isinstance(held, set):
        return {member.decode() for member in held}
    if name == "since":
        return {pair.decode(): True for pair, _ in held}
    if isinstance(held, list):
        return {ref.decode(): int(end_us) for ref, end_us in held} if name == "exp" else held
    fields = {field.decode(): value for field, value in held.items()}
    if name == "block":
        return {
            key: "suspended" if value[STAMP_LENGTH:] == b"suspended" else decode_block(value)[1]
            for key, value in fields.items()
        }
    if name == "es":
        return dict.fromkeys(fields, True)
    if name == "comp":
        return {component_id: value[STAMP_LENGTH:] for component_id, value in fields.items()}
    if name == "meta":
        return {field: value.decode() for field, value in fields.items() if field not in ("clock", "server")}
    if name in ("of", "xw") or name.startswith("b:"):
        return {ref: value.decode() for ref, value in fields.items()}
    return fields
