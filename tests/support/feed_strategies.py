"""Feeds for property tests of the warehouse, and ways to deliver them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from feed_messages import erase, match, origins, record, rejected, retire, review, upsert
from hypothesis import strategies as st

from mdm_stream.contracts.golden import FeedEnvelope

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
REFS = ("crm/1", "crm/2", "erp/1", "web/a/b")
Delivery = list[FeedEnvelope]


@st.composite
def contents_of_a_golden(draw: st.DrawFn) -> dict[str, Any]:
    """A single value, a list with an origin an item, and one with a single origin; of members or of others."""
    refs = draw(st.lists(st.sampled_from((*REFS, "steward/crm/1")), min_size=4, max_size=4))
    values = {"name": f"of {refs[0]}", "emails": [f"1 of {refs[1]}", f"2 of {refs[2]}"], "tags": ["x", refs[3]]}
    provenance = {"name": origins(refs[0]), "emails": origins(refs[1], refs[2]), "tags": origins(refs[3])}
    return {"values": values, "provenance": provenance}


@st.composite
def feeds(draw: st.DrawFn) -> list[FeedEnvelope]:
    """Up to two epochs of two domains, with erasures; clocks that step back; reports that differ in when and where."""
    refs = st.lists(st.sampled_from(REFS), unique=True, max_size=3)
    messages: list[FeedEnvelope] = []
    for domain in ("person", "org"):
        for epoch in (1, 2):
            for sequence in range(1, draw(st.integers(0, 5)) + 1):
                golden_id = draw(st.sampled_from(("g1", "g2", "g3")))
                at = (START + timedelta(seconds=draw(st.integers(0, 20)))).isoformat()
                where: dict[str, Any] = {"epoch": epoch, "domain": domain, "removed": draw(refs), "committed_at": at}
                kind = draw(st.sampled_from(("upsert", "upsert", "erase", "retire", "record", "record", "pair")))
                if kind == "upsert":
                    messages.append(upsert(sequence, golden_id, draw(refs), **where, **draw(contents_of_a_golden())))
                elif kind == "erase":
                    ref = draw(st.sampled_from(REFS))
                    messages.append(erase(sequence, ref, epoch=epoch, domain=domain, committed_at=at))
                elif kind in ("record", "pair"):
                    del where["removed"]
                    a, b = draw(st.permutations(REFS))[:2]
                    if kind == "record":
                        messages.append(record(sequence, a, {"name": f"of {a}"}, **where))
                    else:
                        messages.append(draw(st.sampled_from((match, review)))(sequence, a, b, **where))
                else:
                    merged_into = draw(st.sampled_from((None, "g9")))
                    messages.append(retire(sequence, golden_id, merged_into=merged_into, **where))
    for quarantine_id in draw(st.lists(st.sampled_from(("q1", "q2")), max_size=3)):
        received_from = draw(st.sampled_from(("kinesis", "api")))
        messages.append(rejected(quarantine_id, minute=draw(st.integers(0, 1)), received_from=received_from))
    return messages


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[FeedEnvelope], list[Delivery]]:
    """A feed, and one way to deliver it: shuffled, with duplicates, in batches."""
    feed = draw(feeds())
    duplicates = draw(st.lists(st.sampled_from(feed), max_size=4)) if feed else []
    order = draw(st.permutations([*feed, *duplicates]))
    return feed, list(_split(draw, order))


def _split(draw: st.DrawFn, messages: list[FeedEnvelope]) -> Iterator[list[FeedEnvelope]]:
    start = 0
    while start < len(messages):
        end = start + draw(st.integers(1, 12))
        yield messages[start:end]
        start = end
