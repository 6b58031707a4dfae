"""On which stream dead letters are sent again: none gets more rights by it than it came with."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from letters_at_hand import CHANGES, GOLDEN, SHARD, both, change, delivered, give_up

from mdm_stream.core.model import EraseEvent
from mdm_stream.core.ruleset import Source
from mdm_stream.dead_letters import RedriveRun, Selection, Streams
from mdm_stream.dead_letters.letters import find_all
from mdm_stream.dead_letters.quarantine import QuarantineEntry, QuarantineStore
from mdm_stream.decode import Decoder, Delivery, unpack
from mdm_stream.decode.authority import Authority, default_policy
from mdm_stream.decode.redrive_envelope import is_envelope, wrap
from mdm_stream.errors import Reason, RejectedEventError
from mdm_stream.rules import load_ruleset

STEWARD = "steward"
ERASE = orjson.dumps(
    {"domain": "person", "op": "erase", "source": "crm", "record_id": "1", "event_time": "2026-01-01T00:00:00Z"}
)
AUTHORITY = Authority(default_policy(STEWARD))
RULES = replace(load_ruleset("person"), sources={"crm": Source("crm", version_kind="position")})
DECODER = Decoder({"person": RULES})


def rejected(objects, record: Delivery) -> None:
    """Quarantine what a record holds, as the resolver does when it refuses it."""
    try:
        (delivery,) = unpack(record)
    except RejectedEventError:
        delivery = record
    QuarantineStore(objects).put([QuarantineEntry(delivery, (Reason("not_authorised", "op", "no"),), 1, "person")])


def redriven(objects):
    """Send everything again; return what was sent, and what was refused."""
    sent = []
    letters = find_all(both(objects), Selection())
    run = RedriveRun(
        both(objects), Streams(CHANGES, GOLDEN, STEWARD), lambda _: "key", lambda some: sent.extend(some) or {}
    )
    return sent, run.send(letters, "a" * 16).refused


def counts(stream: str, data: bytes) -> bool:
    """Tell whether a record counts on a stream."""
    try:
        for delivery in unpack(Delivery(data, "9".zfill(64), 9, f"{stream}/{SHARD}:9")):
            AUTHORITY.require(AUTHORITY.identified(delivery), DECODER.decode(delivery))
    except RejectedEventError:
        return False
    return True


def test_what_arrived_before_goes_on_the_steward_stream(objects):
    """In its envelope, and counts there: rejected events and those of batches alike."""
    rejected(objects, delivered(change("1"), 1))
    give_up(objects, [change("2")], 2)
    sent, refused = redriven(objects)
    assert (len(sent), refused) == (2, {})
    assert all(each.stream == STEWARD and is_envelope(each.data) and counts(each.stream, each.data) for each in sent)


@pytest.mark.parametrize("first", [CHANGES, STEWARD])
@pytest.mark.parametrize("kind", ["quarantine", "on_failure"])
@pytest.mark.parametrize("form", ["plain", "envelope"])
def test_an_erasure_from_the_change_stream_stays_refused(objects, first, kind, form):
    """However it lay there: bare, or in an envelope that says it is a steward's; refused, or in a failed batch."""
    data = ERASE if form == "plain" else wrap(delivered(ERASE, 3, f"{first}/{SHARD}:3"))
    assert not counts(CHANGES, data)
    if kind == "quarantine":
        rejected(objects, delivered(data, 7))
    else:
        give_up(objects, [data], 7)
    sent, _ = redriven(objects)
    assert len(sent) == 1
    assert not counts(sent[0].stream, sent[0].data)


def test_a_stewards_erasure_is_redriven(objects):
    """What came by the steward stream counts again on it, whether it was rejected or lay in a batch that failed."""
    rejected(objects, delivered(ERASE, 1, f"{STEWARD}/{SHARD}:1"))
    give_up(objects, [ERASE], 2, stream=STEWARD)
    envelope = wrap(delivered(ERASE, 3, f"{STEWARD}/{SHARD}:3"))
    give_up(objects, [envelope], 4, stream=STEWARD)
    rejected(objects, delivered(envelope[:-3], 5, f"{STEWARD}/{SHARD}:5"))
    sent, refused = redriven(objects)
    assert ({each.stream for each in sent}, refused) == ({STEWARD}, {})
    assert sum(counts(each.stream, each.data) for each in sent) == len(sent) - 1, "the damaged one stays what it is"
    (event,) = DECODER.decode(unpack(Delivery(sent[0].data, "9", 9, f"{STEWARD}/s:9"))[0])
    assert isinstance(event, EraseEvent)


def test_what_was_redriven_before_goes_back_to_where_its_envelope_lay(objects):
    """A stream that this redrive does not know is named, and nothing is sent."""
    rejected(objects, delivered(wrap(delivered(change("1"), 1)), 7, f"elsewhere/{SHARD}:7"))
    sent, refused = redriven(objects)
    assert sent == []
    assert "elsewhere" in next(iter(refused.values()))
