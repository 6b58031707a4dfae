"""Claim checks: the data of golden changes that are larger than a record of the feed may be, as objects.

A publisher *checks in* the data before it puts the message, which then carries ``dataref`` and a digest in its place.
Every reader follows these through ``ClaimReader``. An object's name says all that a message's id does, and its digest::

    domain=<d>/epoch=<epoch>/<sequence>-<sha256>.json                  the data, as it was checked in
    domain=<d>/epoch=<epoch>/<sequence>-<sha256>.redacted-<n>.json     what erasures have left of it

so checking in twice writes one object. An erasure writes what is left under the next number, and then removes what was
there before with all its versions. A publisher that was late writes the data first and then looks for what is left;
the erasure does it the other way round: one of the two sees the other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from mdm_stream.aws.deadline import Deadline
from mdm_stream.contracts.golden import RETIRED, UPSERTED, ClaimCheck, encode_message
from mdm_stream.errors import TerminalError, TransientError
from mdm_stream.objects.opening import open_object_store
from mdm_stream.objects.store import MissingObjectError, ObjectStore

FOLDER = "claims"
"""Where claim objects lie in the archive's store, unless a setting names another place."""

REDACTIONS_MAX = 9_999
ATTEMPTS_MAX = 20
"""Each attempt but one follows another erasure of the same object in the middle of ours."""

_NAME = re.compile(
    r"domain=(?P<domain>[a-z][a-z0-9_]*)/epoch=\d{10}/\d{16}-(?P<sha256>[0-9a-f]{64})(?:\.redacted-(?P<number>\d{4}))?\.json",
    re.ASCII,
)


class MissingClaimError(TransientError):
    """The data of a golden change is not there, and was not erased either."""

    def __init__(self, claim: ClaimCheck, location: str) -> None:
        """Take the claim check, and where its data should be."""
        super().__init__(
            f"the data of golden change {claim.id} is not at {location}: it was removed before the feed forgot the "
            "message; restore the object, or rebuild the domain, which tells the feed anew what readers may lack"
        )
        self.claim = claim


class DamagedClaimError(TerminalError):
    """The data of a golden change is not what was checked in."""


@dataclass(frozen=True, slots=True)
class ClaimObject:
    """One object with data of a golden change. ``number`` counts the erasures that reached it, from 0."""

    name: str
    domain: str
    sha256: str
    number: int


def claims_url_of(archive_url: str, claims_url: str = "") -> str:
    """Return where claim objects are kept: at ``claims_url``, or beside the archive if that is empty."""
    return claims_url or f"{archive_url.rstrip('/')}/{FOLDER}"


class ClaimStore:
    """The claim objects under one address, for those who write, erase and read them.

    Methods raise ``TransientError`` or ``TerminalError`` for what the store meets.
    """

    def __init__(self, objects: ObjectStore, url: str) -> None:
        """Take the store, and the address (``s3://bucket/prefix`` or ``file:///folder``) that datarefs begin with."""
        self._objects = objects
        self._url = url.rstrip("/")

    def until(self, deadline: Deadline) -> None:
        """Begin no request to the store from now on that might not end by then."""
        self._objects.until(deadline)

    def call_s(self) -> float:
        """Return how long one request to the store may last."""
        return self._objects.call_s()

    def check_in(self, message: bytes) -> bytes | None:
        """Keep the data of a golden change; return the message that carries a claim check for it, always the same.

        ``None``, and nothing is kept, for a message of another kind. Durable on return; may be repeated.
        """
        envelope = orjson.loads(message)
        if envelope.get("type") not in {UPSERTED, RETIRED} or "data" not in envelope:
            return None
        data = orjson.dumps(envelope.pop("data"))
        sha256 = hashlib.sha256(data).hexdigest()
        claim = ClaimCheck(
            **envelope,
            dataref=f"{self._url}/{_name_of(envelope['id'], sha256)}",
            datasize=len(data),
            datasha256=sha256,
        )
        name = _name_of(claim.id, sha256)
        if not self._objects.create(name, data):
            self._objects.put(name, data)  # not what was checked in: it was damaged
        if self._newest_redacted(name) is not None:
            self._objects.delete([name])  # erased since this change was read from the outbox
        return encode_message(claim)

    def fetch(self, claim: ClaimCheck) -> bytes:
        """Return the data of a claim check, its digest verified; of an erased one what is left of it.

        ``MissingClaimError`` (transient) if there is nothing, ``DamagedClaimError`` if it is not what it should be.
        """
        name = _name_of(claim.id, claim.datasha256)
        for _ in range(ATTEMPTS_MAX):
            try:
                data = self._objects.get(name)
            except MissingObjectError:
                newest = self._newest_redacted(name)
                if newest is None:
                    break
                try:
                    return _unpacked(newest, self._objects.get(newest.name))
                except MissingObjectError:
                    continue  # erased from once more
            if hashlib.sha256(data).hexdigest() != claim.datasha256:
                raise DamagedClaimError(_damaged(self._objects.location(name)))
            return data
        raise MissingClaimError(claim, self._objects.location(name))

    def holds(self, claim: ClaimCheck) -> bool:
        """Tell whether the data of a claim check are here, or what an erasure has left of them."""
        name = _name_of(claim.id, claim.datasha256)
        return any(True for _ in self._objects.list(name.removesuffix(".json")))

    def each(self, domain: str) -> Iterator[tuple[ClaimObject, bytes]]:
        """Yield every object of a domain with its data, one at a time in memory.

        ``DamagedClaimError`` for one that is not what it should be, and ``TerminalError`` for a name of another kind.
        """
        for stored in self._objects.list(f"domain={domain}/"):
            found = _parsed(stored.name)
            try:
                content = self._objects.get(found.name)
            except MissingObjectError:
                continue  # an erasure has put what is left under another name, and lists it itself
            if not found.number:
                if hashlib.sha256(content).hexdigest() != found.sha256:
                    raise DamagedClaimError(_damaged(self._objects.location(found.name)))
                yield found, content
            else:
                yield found, _unpacked(found, content)

    def redact(self, found: ClaimObject, rest: Callable[[bytes], bytes | None]) -> bool:
        """Put what ``rest`` leaves of the data in its place, for good; return whether anything had to go.

        ``rest`` returns ``None`` for data that may stay. Crash-safe: readers find the one or the other, and a repeated
        call goes on. ``TransientError`` if others erase from the same object all the time.
        """
        original = f"{found.name.partition('.')[0]}.json"
        for _ in range(ATTEMPTS_MAX):
            newest = self._newest_redacted(original) or ClaimObject(original, found.domain, found.sha256, 0)
            try:
                content = self._objects.get(newest.name)
            except MissingObjectError:
                if newest.number == 0:
                    return False
                continue
            data = _unpacked(newest, content) if newest.number else content
            left = rest(data)
            if left is None:
                self._objects.delete(self._older(original, newest.number))
                return False
            if newest.number == REDACTIONS_MAX:
                raise TerminalError(f"{found.name} was erased from too often; remove it, and rebuild the domain")
            number = newest.number + 1
            if self._objects.create(_redacted_name(original, number), _packed(found.sha256, left)):
                self._objects.delete(self._older(original, number))
                return True
        raise TransientError(f"others erase from {found.name} all the time; repeat the erasure")

    def sweep(self) -> None:
        """Remove what writers that died in the middle of a write left behind."""
        self._objects.sweep()

    def location(self, domain: str) -> str:
        """Return where a domain's objects lie, for people."""
        return self._objects.location(f"domain={domain}")

    def _newest_redacted(self, original: str) -> ClaimObject | None:
        prefix = f"{original.removesuffix('.json')}.redacted-"
        return max((_parsed(each.name) for each in self._objects.list(prefix)), key=_number, default=None)

    def _older(self, original: str, number: int) -> list[str]:
        prefix = f"{original.removesuffix('.json')}.redacted-"
        older = [each.name for each in self._objects.list(prefix) if _parsed(each.name).number < number]
        return [*older, original] if number else older


class ClaimReader:
    """Follows claim checks: the one function (``contracts.golden.Follow``) through which readers get at their data.

    Without an address a claim is looked for where its ``dataref`` says. What is found counts only if its digest is
    that of the message, so no message can pass off other bytes.
    """

    def __init__(self, url: str = "", *, open_store: Callable[[str], ObjectStore] = open_object_store) -> None:
        """Take where the objects lie for this reader, if that is elsewhere than the publisher has it."""
        self._url = url
        self._open_store = open_store
        self._stores: dict[str, ClaimStore] = {}

    def __call__(self, claim: ClaimCheck) -> bytes:
        """Return the data; raises as ``ClaimStore.fetch`` does."""
        url = self._url or claim.dataref.removesuffix(f"/{_name_of(claim.id, claim.datasha256)}")
        if url == claim.dataref:
            raise DamagedClaimError(f"the dataref of golden change {claim.id} does not end in that change's name")
        if url not in self._stores:
            self._stores = {url: ClaimStore(self._open_store(url), url)}  # one address at a time: it hardly changes
        return self._stores[url].fetch(claim)


def _name_of(message_id: str, sha256: str) -> str:
    domain, epoch, sequence = message_id.split("/")
    return f"domain={domain}/epoch={int(epoch):010d}/{int(sequence):016d}-{sha256}.json"


def _redacted_name(original: str, number: int) -> str:
    return f"{original.removesuffix('.json')}.redacted-{number:04d}.json"


def _parsed(name: str) -> ClaimObject:
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise TerminalError(f"{name} is no name of a claim object; move it away or restore its name")
    return ClaimObject(name, parts["domain"], parts["sha256"], int(parts["number"] or 0))


def _number(found: ClaimObject) -> int:
    return found.number


def _packed(original_sha256: str, left: bytes) -> bytes:
    """Return what is kept of erased data: a line that says of what it is the rest, with a digest, and the rest."""
    head = {"redacted": True, "of_sha256": original_sha256, "sha256": hashlib.sha256(left).hexdigest()}
    return orjson.dumps(head) + b"\n" + left


def _unpacked(found: ClaimObject, content: bytes) -> bytes:
    line, _, left = content.partition(b"\n")
    try:
        head = orjson.loads(line)
    except orjson.JSONDecodeError:
        head = None
    wanted = {"redacted": True, "of_sha256": found.sha256, "sha256": hashlib.sha256(left).hexdigest()}
    if head != wanted:
        raise DamagedClaimError(_damaged(found.name))
    return left


def _damaged(place: str) -> str:
    return f"the claim object {place} is damaged: restore it from a copy, or remove it and rebuild the domain"
