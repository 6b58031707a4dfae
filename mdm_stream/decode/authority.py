"""Who may say what: whether an event is one that its way in, or the key that signed it, has the right to. Pure.

A right is a set of operations on a set of sources. It belongs to a *stream*, since who may put records on a stream is
what AWS decides; or to a *key*, whose signature an event carries wherever it lies. An event counts if its stream has
the right or its key has. What was redriven has to be the right of both streams, that on which it is said to have
arrived first and that on which it lies now: an envelope names its first stream itself, so this can only take rights
away. And an envelope itself is a right, ``redrive``, because it says at which position an event lies and when it
arrived.

How the right was given is no part of what is applied: the state is the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, get_args

from mdm_stream.contracts.signature import SigningKey, is_signed_by, may_be_signed
from mdm_stream.core.model import ChangeEvent, EraseEvent, OverrideEvent, RecordEvent, split_ref
from mdm_stream.core.wire_formats import enumerated
from mdm_stream.decode.canonical import is_canonical
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.json_object import parse_object
from mdm_stream.decode.reasons import rejection
from mdm_stream.errors import RejectedEventError

Op = Literal["upsert", "patch", "delete", "verdict", "override", "override_expired", "erase", "redrive"]
"""What a right is about: the operations of the canonical format, and the sending again of what arrived before."""

OPS: Final[tuple[Op, ...]] = get_args(Op)
RECORD_OPS: Final[frozenset[Op]] = frozenset({"upsert", "patch", "delete"})
"""What source systems say. Everything else is said by stewards and operators."""

OTHER_STREAMS = "*"
"""The name of the grant of every stream that has none of its own."""

SOURCES_SHOWN_MAX = 10
_STREAM_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


@dataclass(frozen=True, slots=True)
class Grant:
    """A right: these operations, on these sources (``None``: on every source)."""

    sources: frozenset[str] | None
    ops: frozenset[Op]

    def lacks(self, op: Op, sources: Sequence[str]) -> str | None:
        """Return which part of the grant an operation on sources is missing from, ``None`` if it is granted."""
        if op not in self.ops:
            return "allowed_ops"
        if self.sources is not None and not self.sources.issuperset(sources):
            return "allowed_sources"
        return None

    def described(self) -> str:
        """Return it for people."""
        ops = enumerated([op for op in OPS if op in self.ops] or ["nothing"], "or")
        if self.sources is None:
            return f"{ops} of any source"
        listed = sorted(self.sources)[:SOURCES_SHOWN_MAX]
        more = ", ..." if len(self.sources) > len(listed) else ""
        return f"{ops} of {', '.join(listed) or 'no source'}{more}"


@dataclass(frozen=True, slots=True)
class ViewGrant:
    """A right to see: values of attributes that are not sensitive, and the sensitive attributes (``None``: all)."""

    values: bool = True
    sensitive: frozenset[str] | None = frozenset()

    def joined(self, other: ViewGrant) -> ViewGrant:
        """Return what one has who has both."""
        mine, theirs = self.sensitive, other.sensitive
        return ViewGrant(self.values or other.values, None if mine is None or theirs is None else mine | theirs)

    def described(self) -> str:
        """Return it for people."""
        sensitive = "all sensitive ones" if self.sensitive is None else ", ".join(sorted(self.sensitive))
        plain = "values of attributes that are not sensitive" if self.values else "no values that are not sensitive"
        return f"sees {plain}, and {sensitive or 'no sensitive ones'}"


NO_VIEW: Final = ViewGrant(values=False)


RECORDS = Grant(None, RECORD_OPS)
"""The default of the change stream, and of every stream that a policy does not name."""
EVERYTHING = Grant(None, frozenset(OPS))
"""The default of the steward stream: stewards and operators alone may write to it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All rights, by the name of a stream and of a key, and of a caller of the events API.

    Of ``signed_sources`` no record counts for the sake of its stream: a key has to have the right. ``callers`` are by
    ARN, or by the beginning of one with ``*`` behind it; the consumer asks nothing of them, since the API did.
    ``viewers`` are who may see values, by account, group or ARN: commands that show them ask.
    """

    streams: Mapping[str, Grant]
    keys: Mapping[str, Grant]
    signed_sources: frozenset[str] = frozenset()
    callers: Mapping[str, Grant] = field(default_factory=dict)
    viewers: Mapping[str, ViewGrant] = field(default_factory=dict)

    def of_stream(self, stream: str) -> tuple[str, Grant]:
        """Return a stream's grant, and the name that it has in the policy."""
        name = stream if stream in self.streams else OTHER_STREAMS
        return name, self.streams.get(name, RECORDS)

    def of_caller(self, arn: str) -> Grant | None:
        """Return the grant of a caller, that of the longest name which is its ARN or begins it; ``None`` without."""
        name = _fitting(self.callers, arn)
        return None if name is None else self.callers[name]

    def of_viewer(self, names: Collection[str]) -> ViewGrant:
        """Return what a person of these names (``user:``, ``group:``, an ARN) may see: what any of them may.

        An ARN has the grant of the longest name that is it or begins it with ``*`` behind.
        """
        found = NO_VIEW
        for name in names:
            fitting = [
                each for each in self.viewers if each == name or (each[-1] == "*" and name.startswith(each[:-1]))
            ]
            if fitting:
                found = found.joined(self.viewers[max(fitting, key=len)])
        return found


def _fitting(names: Iterable[str], said: str) -> str | None:
    """Return the longest of ``names`` that is what was said, or begins it with ``*`` behind."""
    fitting = [name for name in names if name == said or (name[-1] == "*" and said.startswith(name[:-1]))]
    return max(fitting, key=len, default=None)


def default_policy(steward_stream: str) -> Policy:
    """Return the policy of a deployment that has none: records on every stream, the rest on the steward stream."""
    return Policy({steward_stream: EVERYTHING, OTHER_STREAMS: RECORDS}, {})


class Authority:
    """Judges events by a policy. Holds no state between events: safe to share between threads."""

    def __init__(self, policy: Policy, keys: Mapping[str, SigningKey] | None = None) -> None:
        """Take the policy and the keys that it names; a key without a grant has no right."""
        self.policy = policy
        self._keys = dict(keys or {})

    def identified(self, delivery: Delivery) -> Delivery:
        """Return an unpacked delivery with the key that signed it, if it is signed. It must have been decoded.

        ``RejectedEventError`` with code ``not_authorised`` for a signature that is wrong, whatever its way in may do.
        """
        key_id = self._signer(delivery.raw)
        return replace(delivery, key_id=key_id) if key_id else delivery

    def require(self, delivery: Delivery, events: Sequence[ChangeEvent]) -> None:
        """Raise ``RejectedEventError``, code ``not_authorised``, unless all that it says is its sender's to say.

        It names the way in, what that may do, and the setting to change; of the event it names the operation alone.
        The delivery must be an ``identified`` one.
        """
        key_id = delivery.key_id
        self.require_envelope(delivery)
        for event in events:
            op, sources = _said(event)
            if key_id and self._is_granted_to_key(key_id, op, sources):
                continue
            self._require(delivery.stream, op, sources, key_id)
            if delivery.redriven_on:
                self._require(delivery.redriven_on, op, sources, key_id)

    def require_envelope(self, delivery: Delivery) -> None:
        """Raise ``RejectedEventError``, code ``not_authorised``, if it lay in an envelope where none may be brought."""
        if delivery.redriven_on:
            self._require(delivery.redriven_on, "redrive", (), "")

    def _signer(self, raw: bytes) -> str:
        """Return the key that signed an event, nothing if it is not signed; a signature that is wrong is refused."""
        if b"signature" not in raw and b"\\u" not in raw:
            return ""
        event = parse_object(raw)  # as the decoder did: what it takes for an object is one here
        claim = event.get("signature") if is_canonical(event) else None
        if claim is None:
            return ""
        key = self._keys.get(claim["key_id"])
        if key is None:
            raise _refusal("signature", "is by a key that this consumer does not have; add it to keys in MDM_AUTHORITY")
        if not is_signed_by(event, claim["value"], key):
            raise _refusal("signature", "is not what its key makes of this event")
        if not may_be_signed(event):
            raise _refusal(
                "signature",
                "is on an event without a version and an event_time of its own, whose copy would be another event",
            )
        return key.key_id

    def _is_granted_to_key(self, key_id: str, op: Op, sources: Sequence[str]) -> bool:
        grant = self.policy.keys.get(key_id)
        return grant is not None and grant.lacks(op, sources) is None

    def _require(self, stream: str, op: Op, sources: Sequence[str], key_id: str) -> None:
        name, grant = self.policy.of_stream(stream)
        place = f"the stream {stream}" if _STREAM_NAME.fullmatch(stream) else "a stream that is not named"
        missing = grant.lacks(op, sources)
        if missing is None:
            if op in RECORD_OPS and not self.policy.signed_sources.isdisjoint(sources):
                raise _refusal("signature", self._needs_a_key(key_id))
            return
        by_key = f" (nor does its key give the right: keys.{key_id})" if key_id else ""
        what = f"this is {_article(op)}" if missing == "allowed_ops" else "this is of another source"
        raise _refusal(
            "op" if missing == "allowed_ops" else "source",
            f"is no right of its way in: {place} may bring {grant.described()}, and {what}{by_key}; send it "
            f"on a stream that may bring it, or give the right in MDM_AUTHORITY: streams.{name}.{missing}",
        )

    def _needs_a_key(self, key_id: str) -> str:
        if key_id:
            return f"is by the key {key_id}, which has no right to this; change keys.{key_id} in MDM_AUTHORITY"
        return "is required of this source (signed_sources in MDM_AUTHORITY); have its publisher sign"


def _said(event: ChangeEvent) -> tuple[Op, tuple[str, ...]]:
    """Return the operation that an event is, and the sources that it is about."""
    if isinstance(event, RecordEvent):
        return event.op, (event.source,)
    sources = tuple(dict.fromkeys(split_ref(ref)[0] for ref in event.refs))
    if isinstance(event, OverrideEvent):
        return ("override_expired" if event.expired else "override"), sources
    return ("erase" if isinstance(event, EraseEvent) else "verdict"), sources


def _article(op: str) -> str:
    return f"{'an' if op[0] in 'aeiou' else 'a'} {op}"


def _refusal(path: str, message: str) -> RejectedEventError:
    return rejection("not_authorised", path, message)
