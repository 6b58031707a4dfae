"""The wire contracts as JSON Schema (draft 2020-12), for sources and subscribers written in another language.

To add a contract, give it a line in ``_CONTRACTS``. What we consume is closed: an unknown field is an error, as it is
mostly a misspelt one. What we produce is open: a subscriber ignores what it does not know, so that fields can be added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from mdm_stream.contracts import examples
from mdm_stream.contracts.change import RecordChange, Signature, StewardChange
from mdm_stream.contracts.compatibility.documents import DIRECTION
from mdm_stream.contracts.compatibility.schemas import Direction
from mdm_stream.contracts.csv_row import CsvRowEvent
from mdm_stream.contracts.events_api import BatchAnswer, EventAccepted, EventBatch, EventStatus, Problem
from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.file_notice import FileJobRequest, FileNotice
from mdm_stream.contracts.golden import ClaimCheck, FeedEnvelope, QuarantinedEvent
from mdm_stream.contracts.golden_explanation import GoldenExplanation
from mdm_stream.contracts.review_next import ReviewNext
from mdm_stream.contracts.steward import Explanation, Lookup, ReviewQueue

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
IN: Direction = "consumed"
OUT: Direction = "produced"


class Contract(NamedTuple):
    """One contract: its title, model (or annotated type), who sends it, and real payloads."""

    title: str
    model: Any
    direction: Direction
    examples: Sequence[Mapping[str, Any]] = ()


_CONTRACTS: dict[str, Contract] = {
    "change": Contract("Change of a source record", RecordChange, IN, examples.CHANGES),
    "steward": Contract(
        "Steward's verdict, override, expiry of one, or erasure", StewardChange, IN, examples.STEWARD_CHANGES
    ),
    "signature": Contract("Signature of a canonical event", Signature, IN, [examples.SIGNATURE]),
    "csv_row": Contract("Row of a CSV file that could not be read", CsvRowEvent, IN, [examples.CSV_ROW]),
    "golden": Contract(
        "Message of the golden feed",
        FeedEnvelope | ClaimCheck,
        OUT,
        [
            examples.UPSERTED,
            examples.RETIRED,
            examples.ERASED,
            examples.RECORD_CHANGED,
            examples.MATCH_CHANGED,
            examples.REVIEW_CHANGED,
            examples.QUARANTINED,
            examples.FILE_LOADED,
            examples.CLAIM_CHECK,
        ],
    ),
    "claim_check": Contract(
        "Golden change whose data is kept in an object store", ClaimCheck, OUT, [examples.CLAIM_CHECK]
    ),
    "quarantined_event": Contract("Report of a rejected event", QuarantinedEvent, OUT, [examples.QUARANTINE_REPORT]),
    "file_manifest": Contract("Manifest of a delivered file", FileManifest, OUT, [examples.FILE_MANIFEST]),
    "file_notice": Contract("Notice that a file is done, held or failed", FileNotice, OUT, [examples.FILE_NOTICE]),
    "file_job": Contract("Request to load a file by a Spark job", FileJobRequest, OUT, [examples.FILE_JOB]),
    "event_batch": Contract("Several events in one request of the events API", EventBatch, IN),
    "event_accepted": Contract("Answer of the events API to one event", EventAccepted, OUT),
    "event_batch_answer": Contract("Answer of the events API to several events", BatchAnswer, OUT),
    "event_status": Contract("What became of an event that was posted", EventStatus, OUT),
    "problem": Contract("Problem (RFC 9457) of the events API", Problem, OUT),
    "lookup": Contract("What a record's name or a golden id leads to", Lookup, OUT),
    "explanation": Contract("Why two records are together, or are not", Explanation, OUT),
    "golden_explanation": Contract("How a golden record came together", GoldenExplanation, OUT),
    "review": Contract("The first items of a review queue", ReviewQueue, OUT),
    "review_next": Contract("The next open item of a review queue, with its explanation", ReviewNext, OUT),
}

_OF_ONE = ("additionalProperties", "items", "propertyNames")
_OF_SEVERAL = ("allOf", "anyOf", "oneOf", "prefixItems")
_BY_NAME = ("$defs", "patternProperties", "properties")


def contract_names() -> tuple[str, ...]:
    """Return the names that ``contract_schema`` takes."""
    return tuple(_CONTRACTS)


def contract_examples(name: str) -> Sequence[Mapping[str, Any]]:
    """Return payloads of one contract; ``ValueError`` for a name that is none."""
    return _contract(name).examples


def contract_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of one contract, by a name of ``contract_names()``; ``ValueError`` for another.

    ``x-direction`` says whether mdm-stream consumes or produces its values.
    """
    contract = _contract(name)
    schema = TypeAdapter(contract.model).json_schema()
    if contract.direction == OUT:
        schema = opened(schema)
    head = {"$schema": _DIALECT, DIRECTION: contract.direction}
    shown = {"examples": list(contract.examples)} if contract.examples else {}
    return {**head, **schema, "title": contract.title, **shown}


def opened(schema: Any) -> Any:
    """Return a schema whose objects take unknown fields; where these could make two of ``oneOf`` fit, any may."""
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for name, value in schema.items():
        if name == "additionalProperties" and value is False:
            continue
        if name in _OF_ONE:
            found[name] = opened(value)
        elif name in _OF_SEVERAL:
            found["anyOf" if name == "oneOf" else name] = [opened(each) for each in value]
        elif name in _BY_NAME:
            found[name] = {key: opened(each) for key, each in value.items()}
        else:
            found[name] = value
    return found


def _contract(name: str) -> Contract:
    if name not in _CONTRACTS:
        raise ValueError(f"no contract of that name; there are {', '.join(_CONTRACTS)}")
    return _CONTRACTS[name]
