"""Values in golden changes that were too large for the feed are erased where they lie, superseded changes too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from botocore.exceptions import ClientError
from erase_world import World, places_of, upsert

from mdm_stream.contracts.golden import ClaimCheck, parse_envelope, parse_message
from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.erasure.erase import EraseOptions
from mdm_stream.erasure.search import NOT_HERE
from mdm_stream.errors import TransientError
from mdm_stream.feed.claims import ClaimStore
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.warehouse import DuckDbWarehouse

REF, OTHER = "crm/p-7", "erp/p-7"
MARKER, KEPT = "quendolberga@marker.example", "kept@example.org"


@pytest.fixture
def claiming(world: World) -> World:
    """A world whose feed takes no record of more than two kilobytes."""
    world.resolver._golden = FeedPublisher(world.kinesis, world.golden, claims=world.claims, record_bytes_max=2_000)
    return world


def many(first: str) -> list[str]:
    """Emails that make a golden record large, and one that can be told."""
    return [first, *(f"{number:02d}.{first}" for number in range(20))]


def objects_with(world: World, text: str) -> int:
    """How many claim objects hold a text."""
    return sum(text.encode() in data for _, data in world.claims.each("person"))


def history(world: World) -> list[dict[str, Any]]:
    """The warehouse's history of golden changes."""
    warehouse = DuckDbWarehouse(world.warehouse_file, read_only=True)
    rows = warehouse.query("SELECT payload FROM golden_history WHERE status <> 'erased' ORDER BY epoch, sequence")
    warehouse.close()
    return [orjson.loads(payload) for (payload,) in rows]


def test_every_change_that_holds_their_values_is_redacted(claiming: World) -> None:
    """Found before, none after; what the other record contributed stays, and readers get what the warehouse has."""
    claiming.send(upsert(REF, email=many(MARKER)))
    claiming.send(upsert(REF, version=2, email=many("second." + MARKER)), upsert(OTHER, email=many(KEPT)))
    messages = [parse_message(raw) for raw in claiming.golden_messages()]
    assert sum(isinstance(message, ClaimCheck) for message in messages) >= 2
    assert objects_with(claiming, MARKER) == len(list(claiming.claims.each("person"))) >= 2
    receipt, left = claiming.erase(REF)
    assert receipt.stores["claims"].found == receipt.stores["claims"].removed >= 2
    assert "claims" not in places_of(left)
    assert objects_with(claiming, MARKER) == 0
    assert objects_with(claiming, KEPT) >= 1
    assert "claims" not in places_of(claiming.search(MARKER, *many(MARKER)))
    told = [parse_envelope(raw, claiming.claims.fetch).data for raw in claiming.golden_messages()]
    changes = [change.model_dump(mode="json") for change in told if hasattr(change, "values")]
    assert changes == history(claiming)


def test_the_search_finds_a_value_in_a_claim_object(claiming: World) -> None:
    """A value that is in no other place any more is found, by whose it is."""
    claiming.send(upsert(REF, email=many(MARKER)))
    assert places_of(claiming.search(MARKER))["claims"] == 1


def test_a_reader_that_comes_after_the_erasure_ends_where_the_first_one_did(claiming: World, tmp_path) -> None:
    """A warehouse that is filled from the feed afterwards has the same history as the one that was there."""
    claiming.send(upsert(REF, email=many(MARKER)), upsert(OTHER, email=many(KEPT)))
    claiming.erase(REF)
    before = history(claiming)
    late = DuckDbWarehouse(tmp_path / "late.duckdb")
    late.apply([parse_envelope(raw, claiming.claims.fetch) for raw in claiming.golden_messages()])
    rows = late.query("SELECT payload FROM golden_history WHERE status <> 'erased' ORDER BY epoch, sequence")
    late.close()
    assert [orjson.loads(payload) for (payload,) in rows] == before


def test_a_place_that_is_not_searched_proves_nothing(claiming: World, tmp_path) -> None:
    """Where the feed has claim checks whose data are elsewhere, the search says so, and does not end well."""
    claiming.send(upsert(REF, email=many(MARKER)))
    claiming.places = replace(claiming.places, claims=ClaimStore(FolderObjects(tmp_path / "no"), "file:///no"))
    findings = [(finding.store, finding.what) for finding in claiming.search().findings]
    assert ("claims", NOT_HERE) in findings


class Refusing:
    """A Kinesis client that refuses each call with a message of some golden record."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.golden_ids: set[str] = set()

    def put_records(self, **request: Any) -> Any:
        """Put all records, or none."""
        if not self.golden_ids.isdisjoint(record["PartitionKey"] for record in request["Records"]):
            raise ClientError({"Error": {"Code": "ValidationException"}}, "PutRecords")
        return self._client.put_records(**request)


def test_a_change_of_others_that_the_feed_refuses_holds_no_erasure_back(world: World) -> None:
    """It waits in the outbox before the erasure, which is done when all that names the erased record is published."""
    kinesis = Refusing(world.kinesis)
    world.resolver._golden = FeedPublisher(kinesis, world.golden, claims=world.claims)
    kinesis.golden_ids = {golden_id_of("person", "erp/99")}
    refused = world.send(upsert("erp/99", given_name="Balthasar", family_name="Kuckuck", birth_date="1950-01-01"))
    assert refused is not None
    assert len(refused.refused) == 2  # the golden record, and what its record says
    world.send(upsert(REF, email=[MARKER]))
    _, left = world.erase(REF)
    assert places_of(left).keys() <= {"change_stream", "golden_feed"}
    kinesis.golden_ids = {golden_id_of("person", OTHER)}
    world.send(upsert(OTHER, email=[KEPT]))
    with pytest.raises(TransientError, match="the golden feed does not have the erasure yet"):
        world.erase(OTHER, options=EraseOptions(wait_s=0.2))


def test_a_claim_check_that_was_given_up_is_left_as_it_is(claiming: World) -> None:
    """In the on-failure destination it holds no value of anybody: nothing is found in it, and nothing removed."""
    claiming.send(upsert(REF, email=many(MARKER)))
    [raw] = [raw for raw in claiming.golden_messages() if isinstance(parse_message(raw), ClaimCheck)]
    claiming.give_up(raw, stream=claiming.golden)
    receipt, left = claiming.erase(REF)
    assert (receipt.stores["on_failure"].found, "on_failure" in places_of(left)) == (0, False)
