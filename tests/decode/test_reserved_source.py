"""``steward`` is what provenance calls stewards, and no source's name."""

from __future__ import annotations

import orjson
import pytest

from mdm_stream.decode import Decoder, Delivery
from mdm_stream.errors import RejectedEventError
from mdm_stream.rules import load_ruleset

RULES = {"person": load_ruleset("person")}
RECORD = {"domain": "person", "source": "steward", "record_id": "crm/1", "op": "upsert", "version": 1, "attributes": {}}
SIDES = {"a": {"source": "steward", "record_id": "1"}, "b": {"source": "crm", "record_id": "1"}}


@pytest.mark.parametrize(
    "event",
    [
        RECORD,
        {**RECORD, "op": "override", "steward": "s", "attributes": {"city": "Leeds"}},
        {name: RECORD[name] for name in ("domain", "source", "record_id")} | {"op": "erase"},
        {"domain": "person", "op": "verdict", "verdict": "link", "steward": "s", "version": 1, **SIDES},
    ],
    ids=lambda event: event["op"],
)
def test_nothing_is_accepted_in_its_name(event):
    """Not even where rules name no sources, and so take every other one; ``Steward`` is another name."""
    with pytest.raises(RejectedEventError, match="unknown_source at source: is reserved"):
        Decoder(RULES).decode(Delivery.unplaced(orjson.dumps(event)))
    assert Decoder(RULES).decode(Delivery.unplaced(orjson.dumps({**RECORD, "source": "Steward"})))


def test_rows_of_a_file_are_no_exception():
    """A source that is named for all rows of a file is judged as one that an event names."""
    with pytest.raises(RejectedEventError, match="reserved"):
        Decoder(RULES, only_source="steward").decode(Delivery.unplaced(orjson.dumps(RECORD)))


def test_what_was_archived_before_stays_what_it_is():
    """A rebuild gives the state of what was accepted then."""
    (event,) = Decoder(RULES, archived=True).decode(Delivery.unplaced(orjson.dumps(RECORD)))
    assert event.ref == "steward/crm/1"
