"""One message that a stream does not take holds back no other; a golden change of any size reaches the feed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from botocore.exceptions import ClientError
from small_world import small_rules

from mdm_stream.contracts.golden import ClaimCheck, GoldenChange, parse_envelope, parse_message
from mdm_stream.core.plan.commit import Commit, OutboxChange
from mdm_stream.errors import TerminalError, TransientError
from mdm_stream.feed.claims import ClaimStore
from mdm_stream.feed.publisher import FeedPublisher, RefusedMessagesError, UnpublishableError, publish_outbox
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.objects.folder import FolderObjects

RECORD_BYTES_MAX = 20_000


class StrictStream:
    """A stream as AWS has it: one record that is too large, or of a forbidden key, and the whole call is refused."""

    def __init__(self, record_bytes_max: int = RECORD_BYTES_MAX) -> None:
        self.record_bytes_max = record_bytes_max
        self.forbidden: set[str] = set()
        self.calls = 0
        self.messages: list[bytes] = []
        self.code = "ValidationException"

    def put_records(self, *, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - AWS's
        """Take all records, or none."""
        assert StreamName == "golden"
        self.calls += 1
        for record in Records:
            too_large = len(record["Data"]) + len(record["PartitionKey"]) > self.record_bytes_max
            if too_large or record["PartitionKey"] in self.forbidden:
                raise ClientError({"Error": {"Code": self.code, "Message": "Jane Doe"}}, "PutRecords")
        self.messages += [record["Data"] for record in Records]
        return {"FailedRecordCount": 0, "Records": [{"SequenceNumber": "1"} for _ in Records]}


class BrokenObjects(FolderObjects):
    """A folder that cannot be written now."""

    fault: Exception = TransientError("the store is away")

    def create(self, name: str, content: bytes) -> bool:
        """Fail."""
        raise self.fault


def change(golden_id: str, size: int = 10) -> OutboxChange:
    """A change of a golden record with one value of so many characters."""
    content = {
        "op": "upsert",
        "domain": "person",
        "golden_id": golden_id,
        "members": [{"source": "crm", "record_id": golden_id}],
        "values": {"note": golden_id.ljust(size, "x")},
        "provenance": {},
        "removed": [],
        "rules_version": 1,
    }
    return OutboxChange(golden_id, orjson.dumps(content))


def outbox_of(*changes: OutboxChange) -> MemoryIndex:
    """An index with so many changes in its outbox."""
    index = MemoryIndex(small_rules())
    index.commit([Commit(changes=list(changes))])
    return index


@pytest.fixture
def claims(tmp_path) -> ClaimStore:
    """A store of claim objects in a folder."""
    return ClaimStore(FolderObjects(tmp_path), tmp_path.as_uri())


def sent(stream: StrictStream, claims: ClaimStore | None = None) -> dict[int, GoldenChange]:
    """The changes on a stream by sequence number, claim checks followed."""
    follow = None if claims is None else claims.fetch
    found = [parse_envelope(raw, follow).data for raw in stream.messages]
    return {data.sequence: data for data in found if isinstance(data, GoldenChange)}


def test_a_change_that_no_record_can_hold_goes_by_claim_check(claims):
    """Its message is the same but for its data, in place of which it says where that is; neighbours go whole."""
    index = outbox_of(change("g1"), change("g2", 50_000), change("g3"))
    stream = StrictStream()
    published = publish_outbox(index, FeedPublisher(stream, "golden", claims=claims, record_bytes_max=RECORD_BYTES_MAX))
    assert (published.changes, published.refused, index.read(10), stream.calls) == (3, [], [], 1)
    claim = parse_message(stream.messages[1])
    assert isinstance(claim, ClaimCheck)
    assert (claim.domain, claim.epoch, claim.sequence, claim.golden_id, claim.op) == ("person", 1, 2, "g2", "upsert")
    assert len(stream.messages[1]) < 1_000
    assert [len(str(each.values["note"])) for _, each in sorted(sent(stream, claims).items())] == [10, 50_000, 10]


def test_the_size_is_that_of_the_stream(claims):
    """On a stream whose limit was raised large changes go whole: nothing is checked in."""
    index = outbox_of(change("g1", 50_000))
    publish_outbox(index, FeedPublisher(StrictStream(100_000), "golden", claims=claims, record_bytes_max=100_000))
    assert list(claims.each("person")) == []


def test_a_setting_that_promises_more_than_the_stream_takes_delays_nothing(claims):
    """What the stream refuses although it should fit is singled out and goes by claim check all the same."""
    index = outbox_of(*[change(f"g{n}", 30_000 if n in (3, 77, 150) else 10) for n in range(200)])
    stream = StrictStream()
    publisher = FeedPublisher(stream, "golden", claims=claims, record_bytes_max=10 * 2**20)
    assert publish_outbox(index, publisher).changes == 200
    assert sent(stream, claims).keys() == set(range(1, 201))
    assert len(list(claims.each("person"))) == 3


def test_a_message_refused_in_whatever_form_is_named_and_stays(claims):
    """Everything beside and behind it is published and acknowledged; it waits in the outbox and is tried again."""
    index = outbox_of(*[change(f"g{n}") for n in range(40)])
    stream = StrictStream()
    stream.forbidden = {"g7", "g30"}
    publisher = FeedPublisher(stream, "golden", claims=claims)
    for expected in (38, 0):
        published = publish_outbox(index, publisher, 10)
        assert published.changes == expected
        assert published.refused == ["person/1/8: ValidationException", "person/1/31: ValidationException"]
        assert [entry.sequence for entry in index.read(100)] == [8, 31]
    index.commit([Commit(changes=[change("later")])])
    assert publish_outbox(index, publisher, 1).changes == 1
    stream.forbidden = set()
    assert publish_outbox(index, publisher).changes == 2
    assert sent(stream, claims).keys() == set(range(1, 42))


def test_a_publisher_without_claim_checks_loses_no_neighbour():
    """A large change is refused and reported; those around it are on the stream."""
    index = outbox_of(change("g1"), change("g2", 50_000), change("g3"))
    stream = StrictStream()
    published = publish_outbox(index, FeedPublisher(stream, "golden"))
    assert (published.changes, published.refused) == (2, ["person/1/2: ValidationException"])
    assert sent(stream).keys() == {1, 3}


def test_a_stream_that_refuses_everything_is_an_error_and_costs_bounded_calls(claims):
    """A hundred refusals are no matter of single messages: nothing is acknowledged, and no value is in the error."""
    index = outbox_of(*[change(f"g{n}") for n in range(400)])
    stream = StrictStream(record_bytes_max=0)
    with pytest.raises(UnpublishableError, match="cannot be written: ValidationException") as raised:
        publish_outbox(index, FeedPublisher(stream, "golden", sleep=lambda _: None))
    assert isinstance(raised.value, TerminalError)
    assert "Jane" not in str(raised.value)
    assert stream.calls < 300
    assert len(index.read(1_000)) == 400


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (TransientError("the store is away"), RefusedMessagesError),
        (TerminalError("no such bucket"), UnpublishableError),
    ],
)
def test_a_store_that_takes_no_claims_holds_back_only_what_needs_it(tmp_path, fault, kind):
    """Neighbours are published and acknowledged before the fault is raised, so a retry does not send them again."""
    objects = BrokenObjects(tmp_path)
    objects.fault = fault
    index = outbox_of(change("g1"), change("g2", 50_000), change("g3"))
    stream = StrictStream()
    publisher = FeedPublisher(
        stream, "golden", claims=ClaimStore(objects, tmp_path.as_uri()), record_bytes_max=RECORD_BYTES_MAX
    )
    with pytest.raises(kind, match=str(fault)):
        publish_outbox(index, publisher)
    assert sent(stream).keys() == {1, 3}
    assert [entry.sequence for entry in index.read(10)] == [2]


def test_large_golden_records_are_reported(claims):
    """Id, members and bytes of those past the size, and of no others."""
    index = outbox_of(change("g1", 100), change("g2", 5_000))
    published = publish_outbox(index, FeedPublisher(StrictStream(), "golden", claims=claims), large_bytes=1_000)
    [large] = published.large
    assert (large.golden_id, large.members, large.bytes > 5_000) == ("g2", 1, True)
