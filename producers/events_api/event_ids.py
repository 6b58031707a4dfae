"""Ids of events: what is needed to find out what became of one, sealed, so that the API keeps nothing of its own.

An id is a function of the event. One that brings its version and time has the same id however often it is posted. One
that lacks either takes it from where it lies on the stream, so each delivery is another event and has another id.

The content is encrypted (AES-SIV, RFC 5297, which needs no nonce: equal content gives equal ids) and authenticated, so
an id shows nothing of the event, and one that this API has not given is known as such.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import astuple, dataclass

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from mdm_stream.aws.put_records import StreamPlace
from mdm_stream.contracts.signature import SigningKey
from mdm_stream.core.model import Version

ID_CHARS_MAX = 6_000
"""Longer than any id: a reference, a version and a column of their greatest lengths, in four-byte characters."""
_FORM = b"mdm-stream event id 1"
"""The form of the content; an id of another form is none of ours."""


@dataclass(frozen=True, slots=True)
class PostedEvent:
    """What an id holds of an event: which write it is, and the digest of its bytes.

    ``digest`` identifies the write among those of its version; it is empty where that depends on the arrival.
    ``column`` is one of those that a patch sets. ``shard_id`` and ``sequence_number`` are empty unless its place on
    the stream is a part of what it says.
    """

    domain: str
    ref: str
    op: str
    version: Version
    digest: str
    column: str
    raw_digest: str
    shard_id: str = ""
    sequence_number: str = ""

    @property
    def place(self) -> StreamPlace | None:
        """Where it lies on the stream, if that is a part of what it says."""
        return StreamPlace(self.shard_id, self.sequence_number) if self.sequence_number else None


class EventIds:
    """Seals and opens ids with one key. Thread safe."""

    def __init__(self, key: SigningKey) -> None:
        """Take the key; another key opens none of its ids."""
        self._cipher = AESSIV(hashlib.blake2b(key.secret, digest_size=32, person=b"mdm-event-id").digest())

    def seal(self, event: PostedEvent) -> str:
        """Return the id of an event: letters, digits, ``-`` and ``_``."""
        content = orjson.dumps(list(astuple(event)))
        return base64.urlsafe_b64encode(self._cipher.encrypt(content, [_FORM])).rstrip(b"=").decode()

    def open(self, event_id: str) -> PostedEvent | None:
        """Return what an id holds, ``None`` if this key has not sealed it."""
        if len(event_id) > ID_CHARS_MAX or not event_id.isascii():
            return None
        try:
            sealed = base64.b64decode(event_id + "=" * (-len(event_id) % 4), altchars=b"-_", validate=True)
            content = self._cipher.decrypt(sealed, [_FORM])
        except (binascii.Error, InvalidTag, ValueError):
            return None
        return PostedEvent(*orjson.loads(content))
