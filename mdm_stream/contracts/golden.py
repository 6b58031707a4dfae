"""What the golden feed carries: one CloudEvents 1.0 JSON object a message.

Three types. ``mdm.golden.upserted`` holds a whole golden record. ``mdm.golden.retired`` says that an id no longer
names a live golden record, and which one now holds its anchor. ``mdm.event.quarantined`` reports a rejected event.

Within one domain, golden changes carry ``(epoch, sequence)``: sequences are gap-free within an epoch, a new epoch
restates everything. A reader may see a message twice or out of order, and applies only what is newer for its key.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

UPSERTED = "mdm.golden.upserted"
RETIRED = "mdm.golden.retired"
QUARANTINED = "mdm.event.quarantined"

GoldenValue = str | list[str] | None


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RecordKey(_Wire):
    """The key of one source record."""

    source: str
    record_id: str


class Provenance(_Wire):
    """Where one golden value comes from: the record, the version and time that set it there, and the strategy."""

    source: str
    record_id: str
    version: int | str
    event_time: str
    strategy: str


class GoldenChange(_Wire):
    """The data of ``mdm.golden.upserted`` and ``mdm.golden.retired``.

    ``members`` are the live records of the golden record, sorted. ``removed`` are records that were members of
    this golden record before the change and are now of none (they were deleted); a record that moved to another golden
    record is reported there alone. ``merged_into`` is set on a retirement whose anchor record lives on in another
    golden record. ``values`` has every attribute of the domain that has a value.
    ``committed_at`` is the engine's clock: information, never part of the state.
    """

    domain: str
    epoch: Annotated[int, Field(ge=1)]
    sequence: Annotated[int, Field(ge=1)]
    op: Literal["upsert", "retire"]
    golden_id: str
    members: list[RecordKey]
    removed: list[RecordKey] = []
    merged_into: str | None = None
    values: dict[str, GoldenValue] = {}
    provenance: dict[str, list[Provenance]] = {}
    rules_version: int
    committed_at: str


class QuarantineReason(_Wire):
    """One reason: a stable code, where in the event, and a sentence that repeats no value of it."""

    code: str
    path: str
    message: str


class QuarantinedEvent(_Wire):
    """A rejected event. ``quarantine_id`` is derived from the raw bytes, so a redelivery reports the same one.

    ``location`` says where the raw bytes are kept (a path or an s3:// address with the object's key); on the feed
    the raw bytes themselves are never carried.
    """

    quarantine_id: str
    domain: str | None = None
    source: str | None = None
    record_id: str | None = None
    reasons: list[QuarantineReason]
    raw_bytes: Annotated[int, Field(ge=0)]
    location: str
    received_from: str
    quarantined_at: str


class FeedEnvelope(_Wire):
    """The CloudEvents envelope. ``id`` is ``domain/epoch/sequence`` for golden changes: unique, and the same again
    on a redelivery. ``subject`` is the golden id (or the quarantine id), and the Kinesis partition key.
    """

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: Literal["mdm.golden.upserted", "mdm.golden.retired", "mdm.event.quarantined"]
    subject: str
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    data: GoldenChange | QuarantinedEvent
