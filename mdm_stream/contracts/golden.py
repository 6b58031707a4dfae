"""What the golden feed carries: one CloudEvents 1.0 JSON object a message.

Eight types. ``mdm.golden.upserted`` holds a whole golden record. ``mdm.golden.retired`` says that an id no longer
names a live golden record, and which one now holds its anchor. ``mdm.record.erased`` says that every value which came
from one source record must be forgotten. ``mdm.event.quarantined`` reports a rejected event. ``mdm.file.loaded`` is the
manifest of a file's load: information for the warehouse, and no part of the state. ``mdm.record.changed``,
``mdm.match.changed`` and ``mdm.review.changed`` are the evidence behind golden records, where the rules ask for it (see
``evidence``). A reader ignores members that it does not know, and passes over messages of other types.

Within one domain, all but reports and manifests carry ``(epoch, sequence)``: sequences are gap-free within an epoch. A
new epoch (new rules, or a rebuild of the index) says only what differs from all that was published before it: records
that changed, and retirements of those that are no more. What it does not repeat still stands. Those messages are one
wave: each carries ``wave``, the sequence of the last of them. So a reader can tell them from changes that events
brought, and knows when it has all: the messages of the epoch from its first sequence to that one. A reader may see a
message twice or out of order, and applies only what is newer for its key; an erasure holds for whatever its record
said, before or after it.

Data that is larger than a record of the stream may be is kept in an object store. The message then carries
CloudEvents' ``dataref`` in its place (a claim check), under the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from mdm_stream.contracts.evidence import EVIDENCE, EVIDENCE_TYPE_OF_OP, MatchChanged, RecordChanged, ReviewChanged
from mdm_stream.contracts.feed_model import INTEGER_MAX, GoldenValue, Number, RecordKey
from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.members import members_of, shown_path
from mdm_stream.contracts.reason import QuarantineReason
from mdm_stream.core.canonical import digest_of
from mdm_stream.core.model import make_ref
from mdm_stream.errors import Reason, RejectedEventError

UPSERTED = "mdm.golden.upserted"
RETIRED = "mdm.golden.retired"
ERASED = "mdm.record.erased"
QUARANTINED = "mdm.event.quarantined"
FILE_LOADED = "mdm.file.loaded"

TYPE_OF_OP = {"upsert": UPSERTED, "retire": RETIRED, "erase": ERASED, **EVIDENCE_TYPE_OF_OP}
"""The message type of a sequenced message, by the ``op`` of its data."""

FEED_TYPES = frozenset({*TYPE_OF_OP.values(), QUARANTINED, FILE_LOADED})
"""The types of messages that this release knows. A later one may add types that say nothing of the state."""

_SKIPPED_BY_READERS = Field(json_schema_extra={"x-skipped-by-readers": True})
_REASONS_MAX = 20
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_Envelope = TypeVar("_Envelope", "FeedEnvelope", "ClaimCheck")


class UnknownTypeError(RejectedEventError):
    """A message of a type that this release does not know: a reader passes over it."""


class _FeedModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Provenance(_FeedModel):
    """Where one golden value comes from: the record, the version and time that set it there, and the strategy."""

    source: str
    record_id: str
    version: int | str
    event_time: str
    strategy: str


class GoldenChange(_FeedModel):
    """The data of ``mdm.golden.upserted`` and ``mdm.golden.retired``.

    ``members`` are the live records of the golden record, sorted. ``removed`` are records that were members of
    this golden record before the change and are now of none (they were deleted); a record that moved to another golden
    record is reported there alone. ``merged_into`` is set on a retirement whose anchor record lives on in another
    golden record, and says where that was then. A retired id leads to wherever its ``anchor``, also set on a
    retirement, is *now*: look it up among the members of the newest changes. So a redirect never ends at an id that has
    retired in turn. ``values`` has every attribute of the domain that has a value.
    ``rules_digest`` identifies rules and F together (``RULES+F_VERSION.STORED_FORMAT.DIGEST``); empty in what releases
    before it have published. ``committed_at`` is the engine's clock: information, never part of the state.
    """

    domain: str
    epoch: Number
    sequence: Number
    op: Literal["upsert", "retire"]
    golden_id: str
    members: list[RecordKey]
    removed: list[RecordKey] = []
    merged_into: str | None = None
    anchor: RecordKey | None = None
    values: dict[str, GoldenValue] = {}
    provenance: dict[str, list[Provenance]] = {}
    rules_version: Annotated[int, Field(le=INTEGER_MAX)]
    rules_digest: str = ""
    committed_at: str


class RecordErased(_FeedModel):
    """The data of ``mdm.record.erased``: forget every value whose provenance names this source record.

    ``golden_id`` is the id that the record has when it is the anchor of a golden record: it is the partition key, and
    need not have been published. Golden changes report that the record left its golden record.
    """

    domain: str
    epoch: Number
    sequence: Number
    op: Literal["erase"]
    golden_id: str
    source: str
    record_id: str
    committed_at: str


class QuarantinedEvent(_FeedModel):
    """A rejected event. ``quarantine_id`` is derived from raw bytes and stream: a redelivery reports the same one.

    ``location`` says where the raw bytes are kept (a path or an s3:// address with the object's key); on the feed
    the raw bytes themselves are never carried.
    """

    quarantine_id: str
    domain: str | None = None
    source: str | None = None
    record_id: str | None = None
    reasons: list[QuarantineReason]
    raw_bytes: Annotated[int, Field(ge=0, le=INTEGER_MAX)]
    location: str
    received_from: str
    quarantined_at: str


def _kind_of_data(data: object) -> str:
    """Tell the kinds of data apart by ``op``, so that each message is validated against one model and not all."""
    if isinstance(data, Mapping):
        op, load_id = data.get("op"), data.get("load_id")
    else:
        op, load_id = getattr(data, "op", None), getattr(data, "load_id", None)
    if op is None:
        return "report" if load_id is None else "file"
    if isinstance(op, str) and op in EVIDENCE_TYPE_OF_OP:
        return op
    return "erasure" if op == "erase" else "change"


class FeedEnvelope(_FeedModel):
    """The CloudEvents envelope. ``id`` is ``domain/epoch/sequence`` for sequenced messages: unique, and the same again
    on a redelivery. ``subject`` is the golden id (of evidence, the one that its first record has when it is the anchor;
    or the id of the quarantine or the load): the Kinesis partition key. ``wave``, an extension, is set on what a new
    epoch says when it takes the place of another, because of new rules or a rebuild: the sequence of the last such
    message. Others have none.
    """

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: Annotated[
        Literal[
            "mdm.golden.upserted",
            "mdm.golden.retired",
            "mdm.record.erased",
            "mdm.record.changed",
            "mdm.match.changed",
            "mdm.review.changed",
            "mdm.event.quarantined",
            "mdm.file.loaded",
        ],
        _SKIPPED_BY_READERS,
    ]
    subject: str
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    wave: Number | None = None
    data: Annotated[
        Annotated[GoldenChange, Tag("change")]
        | Annotated[RecordErased, Tag("erasure")]
        | Annotated[RecordChanged, Tag("record")]
        | Annotated[MatchChanged, Tag("match")]
        | Annotated[ReviewChanged, Tag("review")]
        | Annotated[QuarantinedEvent, Tag("report")]
        | Annotated[FileManifest, Tag("file")],
        Discriminator(_kind_of_data),
        _SKIPPED_BY_READERS,
    ]


class ClaimCheck(_FeedModel):
    """The envelope of a golden change whose data is kept elsewhere: ``dataref`` says where, by CloudEvents' extension.

    ``datasize`` is the length of the data in bytes, ``datasha256`` its SHA-256 in hex. ``id``, ``type``, ``subject``,
    ``source`` and ``time`` are those that the message would have with its data. An erasure may since have taken values
    out of the data; readers then get what is left (see ``feed.claims``).
    """

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}/[1-9][0-9]{0,9}/[1-9][0-9]{0,15}$")]
    source: str
    type: Literal["mdm.golden.upserted", "mdm.golden.retired"]
    subject: str
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    wave: Number | None = None
    dataref: Annotated[str, Field(min_length=1)]
    datasize: Number
    datasha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def domain(self) -> str:
        """The domain of the change."""
        return self.id.split("/")[0]

    @property
    def epoch(self) -> int:
        """The epoch of the change."""
        return int(self.id.split("/")[1])

    @property
    def sequence(self) -> int:
        """The sequence number of the change."""
        return int(self.id.split("/")[2])

    @property
    def golden_id(self) -> str:
        """The golden record that changed."""
        return self.subject

    @property
    def op(self) -> str:
        """What became of it: ``upsert`` or ``retire``."""
        return "upsert" if self.type == UPSERTED else "retire"


Sequenced = GoldenChange | RecordErased | RecordChanged | MatchChanged | ReviewChanged
"""The data of messages that carry ``(epoch, sequence)``."""

Follow = Callable[[ClaimCheck], bytes]
"""Returns the data of a claim check, verified; raises ``MdmError`` where it cannot be had."""


_MEMBERS = members_of(
    RecordKey,
    Provenance,
    GoldenChange,
    RecordErased,
    QuarantineReason,
    QuarantinedEvent,
    FileManifest,
    FeedEnvelope,
    ClaimCheck,
    *EVIDENCE,
) | {"change", "erasure", "report", "file", *EVIDENCE_TYPE_OF_OP}
"""Names that a report of a message may repeat: members of the contract, and those of the kinds of its data."""


@dataclass(frozen=True, slots=True)
class PublishedGolden:
    """What the feed has last said of one golden record.

    ``digest`` is that of ``core.golden.Golden`` for the same content, None for a retired one. ``members`` are
    references, in the order of the message; a retired golden record has none. ``committed_us`` is when it was said.
    """

    golden_id: str
    epoch: int
    sequence: int
    digest: str | None
    members: tuple[str, ...]
    committed_us: int = field(default=0, compare=False)


def published_golden(change: GoldenChange) -> PublishedGolden:
    """Return what a golden change says, in the form in which it can be compared with a golden record of the core."""
    at_us = committed_us(change)
    if change.op == "retire":
        return PublishedGolden(change.golden_id, change.epoch, change.sequence, None, (), at_us)
    members = tuple(make_ref(key.source, key.record_id) for key in change.members)
    return PublishedGolden(change.golden_id, change.epoch, change.sequence, content_digest(change), members, at_us)


def committed_us(told: Sequenced) -> int:
    """Return when a change was committed, in microseconds since 1970-01-01T00:00:00Z."""
    return (parse_moment(told.committed_at, "data.committed_at") - _UNIX_EPOCH) // timedelta(microseconds=1)


def content_digest(change: GoldenChange) -> str:
    """Return the digest of the golden record in an upsert: ``core.golden.Golden.digest`` of the same content."""
    content = change.model_dump(include={"domain", "golden_id", "members", "values", "provenance"})
    return digest_of(content)


def encode_message(message: FeedEnvelope | ClaimCheck) -> bytes:
    """Return a message as its bytes; one that is of no wave has no member of that name."""
    return message.model_dump_json(exclude=None if message.wave else {"wave"}).encode()


def parse_message(raw: bytes, *, strict: bool = False) -> FeedEnvelope | ClaimCheck:
    """Return the feed message in ``raw``, with its data or with the claim check for it.

    Members that this release does not know are ignored, unless it is ``strict``: who looks for values must not
    overlook those. Raises ``RejectedEventError`` where the bytes break the contract of the golden feed, and
    ``UnknownTypeError`` of a message of another type; reasons name fields and rules, never values.
    """
    try:
        message = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise RejectedEventError((Reason("feed.json", "", "the message is not JSON"),)) from None
    if isinstance(message, dict):
        kind = message.get("type")
        if isinstance(kind, str) and kind and kind not in FEED_TYPES:
            raise UnknownTypeError((Reason("feed.unknown_type", "type", "is of a later release; pass over it"),))
        if "dataref" in message and "data" not in message:
            return _validated(ClaimCheck, message, strict=strict)
    envelope = _validated(FeedEnvelope, message, strict=strict)
    _check_agreement(envelope)
    return envelope


def parse_envelope(raw: bytes, follow: Follow | None = None) -> FeedEnvelope:
    """Return the feed message in ``raw`` with its data; that of a claim check is got through ``follow``.

    Raises as ``parse_message`` and ``follow`` do. Without ``follow`` a claim check is refused.
    """
    message = parse_message(raw)
    return redeem(message, follow) if isinstance(message, ClaimCheck) else message


def redeem(claim: ClaimCheck, follow: Follow | None) -> FeedEnvelope:
    """Return the message that a claim check stands for. Raises as ``parse_envelope`` does."""
    if follow is None:
        raise RejectedEventError((Reason("feed.dataref", "dataref", "this reader follows no claim checks"),))
    content = follow(claim)
    try:
        data = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise RejectedEventError((Reason("feed.json", "data", "what dataref leads to is not JSON"),)) from None
    kept = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "wave"}
    envelope = _validated(FeedEnvelope, {**claim.model_dump(include=kept), "data": data})
    _check_agreement(envelope)
    change = envelope.data
    said = (claim.domain, claim.epoch, claim.sequence, claim.golden_id)
    if not isinstance(change, GoldenChange) or said != (
        change.domain,
        change.epoch,
        change.sequence,
        change.golden_id,
    ):
        raise RejectedEventError((Reason("feed.dataref", "dataref", "it leads to the data of another message"),))
    return envelope


def _validated(kind: type[_Envelope], message: object, *, strict: bool = False) -> _Envelope:
    try:
        return kind.model_validate(message, extra="forbid" if strict else "ignore")
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        reasons = tuple(
            Reason(
                f"feed.{detail['type']}",
                shown_path(detail["loc"], _MEMBERS),
                "the message does not follow the golden feed contract",
            )
            for detail in details[:_REASONS_MAX]
        )
        raise RejectedEventError(reasons) from None


def parse_moment(text: str, path: str) -> datetime:
    """Return a time of a feed message in UTC; ``RejectedEventError`` with ``path`` where it is none.

    One that its offset moves out of the years 1 to 9999 is none: no database could keep it.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RejectedEventError((Reason("feed.time", path, "not an RFC 3339 time"),)) from None
    if moment.tzinfo is None:
        raise RejectedEventError((Reason("feed.time", path, "a time needs an offset, such as Z"),))
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise RejectedEventError((Reason("feed.time", path, "not a time of the years 1 to 9999 in UTC"),)) from None


def _check_agreement(envelope: FeedEnvelope) -> None:
    data = envelope.data
    if isinstance(data, QuarantinedEvent):
        expected = QUARANTINED
        parse_moment(data.quarantined_at, "data.quarantined_at")
    elif isinstance(data, FileManifest):
        expected = FILE_LOADED
        parse_moment(data.as_of, "data.as_of")
        parse_moment(data.received_at, "data.received_at")
        if data.ended_at is not None:
            parse_moment(data.ended_at, "data.ended_at")
    else:
        expected = TYPE_OF_OP[data.op]
        parse_moment(data.committed_at, "data.committed_at")
    if envelope.type != expected:
        raise RejectedEventError((Reason("feed.type_mismatch", "type", "the type does not fit the data"),))
