"""Claim objects and erasure: the values of erased records in golden changes that were too large for the feed.

An object of a change that holds values of an erased record is replaced by what is left of the change without them, as
the warehouse has it in its history. The change itself stands: who were its members, and what the others contributed.
"""

from __future__ import annotations

from collections.abc import Collection

import orjson

from mdm_stream.contracts.golden import GoldenChange
from mdm_stream.core.model import split_ref
from mdm_stream.erasure.evidence import Evidence
from mdm_stream.errors import TerminalError
from mdm_stream.feed.claims import ClaimStore
from mdm_stream.warehouse.redaction import redact_change

CLAIMS = "claims"


def erase_in_claims(claims: ClaimStore, domain: str, refs: Collection[str]) -> int:
    """Take the values of some records out of every claim object of a domain; return how many held any. Idempotent.

    Superseded changes too. Reads all objects, one at a time. Nobody may be publishing what was read from an outbox
    before the records were erased.
    """
    keys = {split_ref(ref) for ref in refs}

    def rest(data: bytes) -> bytes | None:
        redacted = redact_change(_change(data), keys)
        return None if redacted is None else orjson.dumps(redacted.model_dump(mode="json"))

    claims.sweep()
    return sum(claims.redact(found, rest) for found, data in claims.each(domain) if rest(data) is not None)


def look_into_claims(claims: ClaimStore, domain: str, evidence: Evidence) -> None:
    """Note what every claim object of a domain holds. ``TerminalError`` for one that cannot be read."""
    for _, data in claims.each(domain):
        evidence.golden(CLAIMS, "golden change", orjson.loads(data))


def _change(data: bytes) -> GoldenChange:
    try:
        return GoldenChange.model_validate_json(data)
    except ValueError:
        raise TerminalError("a claim object holds no golden change; remove it, and rebuild the domain") from None
