"""Manifests of files in the warehouse: of one load the newest stays, however they arrive."""

from __future__ import annotations

import itertools

import orjson
import pytest
from feed_messages import clear, contents, loaded, upsert

from mdm_stream.contracts.file_manifest import AttributeProfile, FileDelivery
from mdm_stream.contracts.golden import FILE_LOADED, parse_envelope
from mdm_stream.contracts.reason import QuarantineReason
from mdm_stream.feed.envelope import FILE_MESSAGE_BYTES_MAX, file_message
from mdm_stream.feed.published import PublishedState
from mdm_stream.warehouse import DuckDbWarehouse

LOAD = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32
TOLD = [
    loaded(LOAD, 3, "held", rows=10, accepted=7, rejected=2, skipped=1),
    loaded(LOAD, 7, "done", rows=10, accepted=7, rejected=2, skipped=1, sent=7, ended_at="2026-03-01T12:05:00Z"),
    loaded(OTHER, 2, "failed", reasons=[QuarantineReason(code="empty", path="header", message="is missing")]),
]
SHOWN = "SELECT load_id, revision, status, row_count, accepted, rejected, skipped, sent FROM file_loads ORDER BY 1"
EXPECTED = [(LOAD, 7, "done", 10, 7, 2, 1, 7), (OTHER, 2, "failed", 0, 0, 0, 0, 0)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("together", [True, False])
def test_the_newest_manifest_of_a_load_stays(
    duckdb_warehouse: DuckDbWarehouse, order: tuple[int, ...], together: bool
) -> None:
    """In whatever order manifests arrive, in one batch or several, repeated or not, the highest revision is kept."""
    told = [TOLD[place] for place in order]
    for batch in [[*told, *told]] if together else [[each] for each in [*told, *told]]:
        assert duckdb_warehouse.apply(batch).files == len(batch)
    assert duckdb_warehouse.query(SHOWN) == EXPECTED


def test_manifests_of_one_revision_converge(duckdb_warehouse: DuckDbWarehouse) -> None:
    """Two manifests of one revision, from two workers at once, end the same in either order."""
    two = [loaded(LOAD, 4, "running", chunks=2, chunks_sent=number) for number in (1, 2)]
    kept = []
    for order in (two, two[::-1]):
        clear(duckdb_warehouse)
        for each in order:
            duckdb_warehouse.apply([each])
        kept.append(contents(duckdb_warehouse)["file_loads"])
    assert kept[0] == kept[1]


def test_snowflake_keeps_the_same_manifests(snowflake_warehouse) -> None:
    """The statement runs on Snowflake's dialect too, and ends the same."""
    warehouse = snowflake_warehouse("file_loads")
    for batch in ([TOLD[1], TOLD[2]], [TOLD[0]]):
        warehouse.apply(batch)
    assert warehouse.query(SHOWN) == EXPECTED


def test_a_manifest_is_no_part_of_the_golden_state(duckdb_warehouse: DuckDbWarehouse) -> None:
    """Subscribers that apply golden changes pass over a manifest, and it has no position in the feed."""
    duckdb_warehouse.apply([*TOLD, upsert(4, "g1", ["crm/1"])])
    assert duckdb_warehouse.position("person") == (1, 4)
    state = PublishedState("person")
    state.apply(TOLD[0])
    assert (len(state), state.position) == (0, (0, 0))


def test_a_manifest_that_is_too_large_goes_without_its_profile() -> None:
    """A message is bounded: profile and earlier deliveries stay in the object store, counts and reasons travel."""
    whole = loaded(LOAD, 7, "done", rows=1, accepted=1).data
    profile = [
        AttributeProfile(
            attribute=f"attribute_{number}", values=1, completeness=1.0, uniqueness=1.0, conformity=1.0, outliers=0.0,
            length_mean=1.0, length_max=1,
        )
        for number in range(500)
    ]  # fmt: skip
    delivery = FileDelivery(bucket="drops", key="k" * 900, delivered_at="2026-03-01T12:00:00Z")
    large = whole.model_copy(update={"profile": profile, "deliveries": [delivery] * 300})
    key, message = file_message(large)
    envelope = parse_envelope(message)
    assert key == LOAD
    assert envelope.type == FILE_LOADED
    assert len(message) <= FILE_MESSAGE_BYTES_MAX < len(orjson.dumps(large.model_dump()))
    assert (envelope.data.rows, envelope.data.profile, len(envelope.data.deliveries)) == (1, [], 1)
