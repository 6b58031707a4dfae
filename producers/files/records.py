"""What the store of loads keeps as JSON, one model an object."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from mdm_stream.contracts.file_manifest import AttributeProfile, FileObject, FileRoute, FileWarning, RejectedRows
from mdm_stream.contracts.reason import QuarantineReason
from mdm_stream.core.times import parse_time_us


class Stored(BaseModel):
    """Base of what is stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def encode(self) -> bytes:
        """Return the object's bytes: equal records give equal bytes."""
        return self.model_dump_json().encode()


class LoadRecord(Stored):
    """What was delivered first of a load. ``as_of`` is the time of the load."""

    load_id: str
    domain: str | None
    source: str | None
    object: FileObject
    as_of: str
    as_of_declared: bool
    received_at: str

    @property
    def as_of_us(self) -> int:
        """The time of the load, in microseconds since 1970."""
        return parse_time_us(self.as_of)

    @property
    def received_at_us(self) -> int:
        """When the file was received, in microseconds since 1970."""
        return parse_time_us(self.received_at)


class DeliveryRecord(Stored):
    """One delivery. ``returned``: another load of the source came between the first one and it."""

    bucket: str
    key: str
    version_id: str | None
    etag: str
    delivered_at: str
    returned: bool = False


class AgainRecord(Stored):
    """Why an attempt at a load was begun: another delivery of what had failed, changed rules, a person, or the job that
    does a file which is too large for the functions.
    """

    because: Literal["delivery", "rules", "person", "job"]
    delivery: str | None = None
    by: str | None = None
    at: str


class PlanRecord(Stored):
    """How a load is done, once its chunks are there. ``job`` is that of a load which goes to Spark."""

    route: FileRoute
    load: Literal["incremental", "full"]
    rules_digest: str
    job: str | None = None


class LoadVerdictRecord(Stored):
    """The verdict on a load, and what the manifest says of its rows. ``accepted_by_chunk`` is by number, from 1."""

    decision: Literal["run", "held", "failed"]
    decided_at: str
    reasons: list[QuarantineReason] = []
    warnings: list[FileWarning] = []
    rows: int = 0
    accepted: int = 0
    rejected: int = 0
    skipped: int = 0
    accepted_by_chunk: list[int] = []
    rejected_rows: list[RejectedRows] = []
    profile: list[AttributeProfile] = []


class ReleaseRecord(Stored):
    """Who decided on a held load, and when."""

    decision: Literal["run", "failed"]
    by: str
    at: str


class SentRecord(Stored):
    """What was sent of a chunk: events that the stream took, and rejected rows that the quarantine holds."""

    number: int
    sent: int
    quarantine_ids: list[str] = []


class DeletionsRecord(Stored):
    """The records that a full load deletes, at one version, or why it deletes none."""

    record_ids: list[str] = []
    version: int | str | None = None
    withheld: FileWarning | None = None


class FinishedRecord(Stored):
    """The end of a load that ran."""

    sent: int
    deleted: int
    ended_at: str
    warnings: list[FileWarning] = []


class RedriveRecord(Stored):
    """Who sent the rejected rows of a load again, and when: how many there were in the quarantine."""

    by: str
    at: str
    run: str
    letters: int
