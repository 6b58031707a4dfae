"""The warehouse consumer follows claim checks, in portions, and says which record it could not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from feed_messages import upsert

from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.decode import Delivery
from mdm_stream.errors import TerminalError, TransientError
from mdm_stream.feed.claims import ClaimStore, MissingClaimError
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.warehouse import DuckDbWarehouse, WarehouseConsumer
from mdm_stream.warehouse import consumer as consumer_module
from mdm_stream.warehouse.quick_rows import QuickChange
from mdm_stream.warehouse.staging import FeedMessage


@pytest.fixture
def claims(tmp_path: Path) -> ClaimStore:
    """Claim objects in a folder."""
    return ClaimStore(FolderObjects(tmp_path / "claims"), (tmp_path / "claims").as_uri())


@pytest.fixture
def consumer(tmp_path: Path) -> WarehouseConsumer:
    """A consumer with an empty warehouse, which goes where messages say."""
    return WarehouseConsumer(DuckDbWarehouse(tmp_path / "w.duckdb"), idle_close_s=0)


def raw(envelope: FeedEnvelope) -> bytes:
    """A message as it is on the feed."""
    return envelope.model_dump_json().encode()


def checked(claims: ClaimStore, envelope: FeedEnvelope) -> bytes:
    """A message that goes by claim check."""
    claim = claims.check_in(raw(envelope))
    assert claim is not None
    return claim


def records(messages: Sequence[bytes]) -> list[Delivery]:
    """Messages as the feed delivers them; sequence numbers from 100 on."""
    return [Delivery.from_kinesis(message, str(number), 1.5) for number, message in enumerate(messages, 100)]


def stored(consumer: WarehouseConsumer) -> list[int]:
    """The sequences in the history."""
    return [row[0] for row in consumer._warehouse.query("SELECT sequence FROM golden_history ORDER BY 1")]


def test_a_claim_check_is_applied_like_its_message(consumer: WarehouseConsumer, claims: ClaimStore) -> None:
    """History and golden record hold the data, three megabytes of it, not the reference to it."""
    large = upsert(2, "g2", ["crm/2"], values={"note": "x" * 3_000_000})
    outcome = consumer.apply_records(records([raw(upsert(1, "g1", ["crm/1"])), checked(claims, large)]))
    assert (outcome.records_applied, outcome.error) == (2, None)
    [(length,)] = consumer._warehouse.query(
        "SELECT LENGTH(CAST(golden_values AS VARCHAR)) FROM golden_record WHERE golden_id = 'g2'"
    )
    assert length > 3_000_000
    [(members,)] = consumer._warehouse.query("SELECT COUNT(*) FROM crosswalk WHERE golden_id = 'g2'")
    assert members == 1


def test_what_a_later_release_has_added_holds_nothing_back(consumer: WarehouseConsumer) -> None:
    """A message of a type that is not known is passed over and counted; one with further members is applied."""
    later = orjson.loads(raw(upsert(2, "g2", ["crm/2"])))
    later["data"]["because"] = [1]
    unknown = {**later, "type": "mdm.golden.split", "data": {"parts": []}}
    messages = [raw(upsert(1, "g1", ["crm/1"])), orjson.dumps(unknown), orjson.dumps(later)]
    outcome = consumer.apply_records(records(messages))
    assert (outcome.records_applied, outcome.records_skipped, outcome.error) == (2, 1, None)
    assert stored(consumer) == [1, 2]


def test_a_batch_is_applied_in_portions(
    consumer: WarehouseConsumer, claims: ClaimStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in memory at a time is bounded, whatever a batch of small records leads to."""
    monkeypatch.setattr(consumer_module, "PORTION_BYTES_MAX", 25_000)
    sizes: list[int] = []
    apply = consumer._warehouse.apply
    monkeypatch.setattr(consumer._warehouse, "apply", lambda some: [sizes.append(len(some)), apply(some)][1])
    messages = [checked(claims, upsert(n, f"g{n}", [], values={"note": "x" * 10_000})) for n in range(1, 8)]
    outcome = consumer.apply_records(records(messages))
    assert (outcome.records_applied, sizes) == (7, [2, 2, 2, 1])
    assert stored(consumer) == list(range(1, 8))


def test_a_portion_that_fails_is_where_the_batch_goes_on(
    consumer: WarehouseConsumer, claims: ClaimStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came before it is done, and its first record is reported."""
    monkeypatch.setattr(consumer_module, "PORTION_BYTES_MAX", 25_000)
    apply = consumer._warehouse.apply

    def fail_late(some: Sequence[FeedMessage]) -> Any:
        if some and _sequence(some[0]) >= 3:
            raise TransientError("the warehouse is away")
        return apply(some)

    monkeypatch.setattr(consumer._warehouse, "apply", fail_late)
    messages = [checked(claims, upsert(n, f"g{n}", [], values={"note": "x" * 10_000})) for n in range(1, 8)]
    outcome = consumer.apply_records(records(messages))
    assert (outcome.records_applied, outcome.first_failed) == (2, 2)
    assert stored(consumer) == [1, 2]


def _sequence(message: FeedMessage) -> int:
    envelope = message.envelope() if isinstance(message, QuickChange) else message
    return getattr(envelope.data, "sequence", 0)


@pytest.mark.parametrize("refusal", [TerminalError("a document is larger than a column may be"), KeyError("x")])
def test_a_message_that_the_database_refuses_holds_back_no_other(
    consumer: WarehouseConsumer, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    """A row that no column can hold is found among its neighbours in few attempts, and reported; others are rows."""
    apply, calls = consumer._warehouse.apply, []

    def refuse_seven(some: Sequence[FeedMessage]) -> Any:
        calls.append(len(some))
        if any(_sequence(each) == 7 for each in some):
            raise refusal
        return apply(some)

    monkeypatch.setattr(consumer._warehouse, "apply", refuse_seven)
    outcome = consumer.apply_records(records([raw(upsert(n, f"g{n}", [])) for n in range(1, 101)]))
    assert (outcome.records_applied, outcome.first_failed) == (99, 6)
    assert isinstance(outcome.error, TerminalError)
    assert stored(consumer) == [n for n in range(1, 101) if n != 7]
    assert len(calls) < 16
    outcome = consumer.apply_records(records([raw(upsert(7, "g7", []))]))
    assert (outcome.records_applied, outcome.first_failed) == (0, 0)
    assert consumer.apply_records(records([raw(upsert(n, f"g{n}", [])) for n in (8, 9)])).error is None


def test_a_batch_stops_at_a_claim_whose_data_is_not_there(
    consumer: WarehouseConsumer, claims: ClaimStore, tmp_path: Path
) -> None:
    """What came before it is applied, the record is reported, and it goes on once the object is back."""
    message = checked(claims, upsert(2, "g2", ["crm/2"]))
    folder, away = tmp_path / "claims", tmp_path / "away"
    folder.rename(away)
    batch = records([raw(upsert(1, "g1", [])), message, raw(upsert(3, "g3", []))])
    outcome = consumer.apply_records(batch)
    assert (outcome.records_applied, outcome.first_failed) == (1, 1)
    assert isinstance(outcome.error, MissingClaimError)
    assert stored(consumer) == [1]
    away.rename(folder)
    assert consumer.apply_records(batch).error is None
    assert stored(consumer) == [1, 2, 3]
