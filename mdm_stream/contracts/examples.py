"""Example payloads of the contracts, as they go over the wire: of one small domain, as its engine gives them.

Tests decode each one as the consumers do. The people are invented.
"""

from __future__ import annotations

from typing import Any

Payload = dict[str, Any]

_WEB: Payload = {"domain": "person", "source": "web", "record_id": "u-42"}
_SHOP_KEY: Payload = {"source": "shop", "record_id": "7"}
_WEB_KEY: Payload = {"source": "web", "record_id": "u-42"}
_GOLDEN_ID = "g406b82364a8ab71552a7a95b"
_RETIRED_ID = "gd6af3b3b11067bd2e15081ab"
_RULES_DIGEST = "1428ae627293389a8ce088475de5820e+4.3.74692f5d9d065bd1"

SIGNATURE: Payload = {
    "key_id": "shop-2026",
    "value": "0981f9d21f9df765d03dfab3864895b358599fffe93e28d0964e190be91361e2",
}
"""Of ``SIGNED_CHANGE``, under the 32 bytes 00 01 02 ... 1f: the test vector of the trust model."""

SIGNED_CHANGE: Payload = {
    "domain": "person",
    **_SHOP_KEY,
    "op": "upsert",
    "version": 12,
    "event_time": "2026-03-01T00:00:00Z",
    "attributes": {"given_name": "Zoë", "city": None, "vip": True, "score": -0.5, "emails": ["a@example.org", 3]},
    "signature": SIGNATURE,
}

CHANGES: list[Payload] = [
    {
        **_WEB,
        "op": "upsert",
        "version": 17,
        "event_time": "2026-01-01T09:30:00Z",
        "attributes": {"first_name": "Ann", "last_name": "Lee", "born": "1980-03-01", "mail": ["ann.lee@example.com"]},
    },
    {
        **_WEB,
        "op": "patch",
        "version": 18,
        "event_time": "2026-01-02T09:30:00Z",
        "attributes": {"city": "Leeds", "phone": None},
    },
    {**_WEB, "op": "delete", "version": 19, "event_time": "2026-01-03T09:30:00Z"},
    SIGNED_CHANGE,
]

STEWARD_CHANGES: list[Payload] = [
    {
        "domain": "person",
        "op": "verdict",
        "a": _SHOP_KEY,
        "b": _WEB_KEY,
        "verdict": "separate",
        "version": 1767225600000000,
        "event_time": "2026-01-01T00:00:00Z",
        "steward": "s-17",
    },
    {
        **_WEB,
        "op": "override",
        "attributes": {"birth_date": "1981-03-01", "phone": None},
        "expires_at": "2030-01-01T00:00:00Z",
        "version": 1767225600000001,
        "event_time": "2026-01-01T00:00:01Z",
        "steward": "s-17",
    },
    {
        **_WEB,
        "op": "override_expired",
        "version": 1767225600000001,
        "event_time": "2030-01-01T00:00:00Z",
        "attributes": ["birth_date"],
    },
    {**_WEB, "op": "erase", "event_time": "2026-01-05T00:00:00Z"},
]

CSV_ROW: Payload = {
    "csv_row": {
        "file": "shop.csv",
        "line": 3,
        "row": 2,
        "header": ["source", "record_id", "given_name", "version"],
        "delimiter": ",",
        "quote": '"',
        "line_end": "\n",
        "encoding": "utf-8",
        "source": None,
        "loaded_at": "2026-01-31T09:30:00.000000Z",
        "text": "shop,8,Per,12\n",
        "record": {"domain": "person", "source": "shop", "record_id": "8"},
    }
}


def _message(kind: str, sequence: int, subject: str, data: Payload) -> Payload:
    """Return a message of the golden feed in sequence."""
    time = f"2026-01-05T00:00:00.{sequence:06d}Z"
    return {
        "specversion": "1.0",
        "id": f"person/1/{sequence}",
        "source": "mdm-stream/person",
        "type": kind,
        "subject": subject,
        "time": time,
        "datacontenttype": "application/json",
        "data": {
            "domain": "person",
            "golden_id": subject,
            **data,
            "epoch": 1,
            "sequence": sequence,
            "committed_at": time,
        },
    }


def _origin(key: Payload, strategy: str, version: int, event_time: str) -> list[Payload]:
    return [{"event_time": event_time, **key, "strategy": strategy, "version": version}]


_FROM_WEB = "2026-01-01T09:30:00.000000Z"
_FROM_SHOP = "2026-01-02T09:30:00.000000Z"

UPSERTED: Payload = _message(
    "mdm.golden.upserted",
    3,
    _GOLDEN_ID,
    {
        "members": [_SHOP_KEY, _WEB_KEY],
        "provenance": {
            "birth_date": _origin(_WEB_KEY, "trust", 17, _FROM_WEB),
            "email": _origin(_SHOP_KEY, "union", 2, _FROM_SHOP),
            "family_name": _origin(_WEB_KEY, "trust", 17, _FROM_WEB),
            "given_name": _origin(_WEB_KEY, "trust", 17, _FROM_WEB),
        },
        "values": {
            "birth_date": "1980-03-01",
            "email": ["ann.lee@example.com"],
            "family_name": "Lee",
            "given_name": "Ann",
        },
        "op": "upsert",
        "removed": [],
        "rules_digest": _RULES_DIGEST,
        "rules_version": 1,
    },
)
RETIRED: Payload = _message(
    "mdm.golden.retired",
    2,
    _RETIRED_ID,
    {
        "anchor": _SHOP_KEY,
        "members": [],
        "merged_into": _GOLDEN_ID,
        "op": "retire",
        "removed": [],
        "rules_digest": _RULES_DIGEST,
        "rules_version": 1,
    },
)
ERASED: Payload = _message("mdm.record.erased", 4, _RETIRED_ID, {"op": "erase", **_SHOP_KEY})

_RULES: Payload = {"rules_digest": _RULES_DIGEST, "rules_version": 1}


def _evidence(kind: str, sequence: int, subject: str, data: Payload) -> Payload:
    message = _message(kind, sequence, subject, {**data, **_RULES})
    return {**message, "data": {name: value for name, value in message["data"].items() if name != "golden_id"}}


RECORD_CHANGED: Payload = _evidence(
    "mdm.record.changed",
    6,
    _RETIRED_ID,
    {
        "op": "record",
        **_SHOP_KEY,
        "status": "live",
        "born_at": _FROM_SHOP,
        "attributes": {
            "email": {
                "value": ["ann.lee@example.com"],
                "valid": True,
                "invalid_because": None,
                "version": 2,
                "event_time": _FROM_SHOP,
            }
        },
        "overrides": {},
        "verdicts": [
            {
                "other": _WEB_KEY,
                "verdict": "link",
                "steward": "steward-7",
                "version": 1767605400000000,
                "event_time": "2026-01-05T09:30:00.000000Z",
            }
        ],
        "left_out": False,
    },
)
MATCH_CHANGED: Payload = _evidence(
    "mdm.match.changed",
    7,
    _RETIRED_ID,
    {
        "op": "match",
        "a": _SHOP_KEY,
        "b": _WEB_KEY,
        "status": "linked",
        "rule": "score",
        "confidence": 0.97,
        "weight_bits": 5.015,
        "evidence": {"email": "exact", "name": "close"},
    },
)
REVIEW_CHANGED: Payload = _evidence(
    "mdm.review.changed",
    8,
    _RETIRED_ID,
    {
        "op": "review",
        "a": _SHOP_KEY,
        "b": _WEB_KEY,
        "status": "open",
        "reason": "score",
        "refused_links": 0,
        "answered": False,
        "separated": [],
        "separated_count": 0,
        "rule": "score",
        "confidence": 0.8,
        "weight_bits": 2.0,
        "evidence": {"email": "else", "name": "exact"},
    },
)

CLAIM_CHECK: Payload = {
    "specversion": "1.0",
    "id": "person/1/5",
    "source": "mdm-stream/person",
    "type": "mdm.golden.upserted",
    "subject": _GOLDEN_ID,
    "time": "2026-01-05T00:00:00.000005Z",
    "datacontenttype": "application/json",
    "dataref": (
        "s3://acme-mdm-archive/claims/domain=person/epoch=0000000001/"
        "0000000000000005-47dc540c94ceb704a23875c11273e16bb0b8a87aed84de911f2133568115f254.json"
    ),
    "datasize": 1_240_311,
    "datasha256": "47dc540c94ceb704a23875c11273e16bb0b8a87aed84de911f2133568115f254",
}

QUARANTINE_REPORT: Payload = {
    "quarantine_id": "4f1c2b7a9d0e5f63",
    "domain": "person",
    "source": "web",
    "record_id": "u-42",
    "reasons": [{"code": "wrong_format", "path": "event_time", "message": "is no RFC 3339 time"}],
    "raw_bytes": 211,
    "location": "s3://acme-mdm-quarantine/person/4f1c2b7a9d0e5f63.json",
    "received_from": "mdm-changes/shardId-000000000000/49590338271490256608559692538361571095921575989136588898",
    "quarantined_at": "2026-01-05T00:00:01.000000Z",
}
QUARANTINED: Payload = {
    "specversion": "1.0",
    "id": f"quarantine/{QUARANTINE_REPORT['quarantine_id']}",
    "source": "mdm-stream/quarantine",
    "type": "mdm.event.quarantined",
    "subject": QUARANTINE_REPORT["quarantine_id"],
    "time": QUARANTINE_REPORT["quarantined_at"],
    "datacontenttype": "application/json",
    "data": QUARANTINE_REPORT,
}

FILE_MANIFEST: Payload = {
    "load_id": "7d4c1a90b35e4f6c8a21d0c9f4b6e813",
    "revision": 6,
    "state": "done",
    "domain": "person",
    "source": "shop",
    "object": {
        "bucket": "acme-vendor-files",
        "key": "person/shop/customers-20260131.csv.gz",
        "version_id": None,
        "etag": "9b2cf535f27731c974343645a3985328",
        "size_bytes": 48_211,
        "sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    },
    "deliveries": [
        {
            "bucket": "acme-vendor-files",
            "key": "person/shop/customers-20260131.csv.gz",
            "version_id": None,
            "delivered_at": "2026-01-31T09:30:00.000000Z",
        }
    ],
    "as_of": "2026-01-31T00:00:00.000000Z",
    "as_of_declared": True,
    "rows": 1_000,
    "accepted": 988,
    "rejected": 10,
    "skipped": 2,
    "sent": 988,
    "rejected_rows": [
        {
            "reason": {"code": "wrong_format", "path": "born", "message": "is no date of the format that is declared"},
            "rows": 10,
            "first_row": 17,
        }
    ],
    "received_at": "2026-01-31T09:30:02.000000Z",
    "ended_at": "2026-01-31T09:30:09.000000Z",
}

FILE_LOADED: Payload = {
    "specversion": "1.0",
    "id": f"file/{FILE_MANIFEST['load_id']}/{FILE_MANIFEST['revision']}",
    "source": "mdm-stream/files",
    "type": "mdm.file.loaded",
    "subject": FILE_MANIFEST["load_id"],
    "time": FILE_MANIFEST["ended_at"],
    "datacontenttype": "application/json",
    "data": FILE_MANIFEST,
}

FILE_NOTICE: Payload = {
    "id": f"{FILE_MANIFEST['load_id']}/done",
    "load_id": FILE_MANIFEST["load_id"],
    "state": "done",
    "domain": "person",
    "source": "shop",
    "bucket": "acme-vendor-files",
    "key": "person/shop/customers-20260131.csv.gz",
    "rows": 1_000,
    "accepted": 988,
    "rejected": 10,
    "skipped": 2,
    "sent": 988,
    "deleted": 0,
    "reasons": [],
    "warnings": [],
    "manifest": f"s3://acme-mdm-files/loads/{FILE_MANIFEST['load_id']}/manifest.json",
}

FILE_JOB: Payload = {
    "job": f"mdm-files-{FILE_MANIFEST['load_id']}-1",
    "load_id": FILE_MANIFEST["load_id"],
    "attempt": 1,
    "domain": "person",
    "source": "shop",
    "object": FILE_MANIFEST["object"],
    "as_of": FILE_MANIFEST["as_of"],
    "load": "incremental",
    "rules_digest": "5f9c4ab08cac7457e9111a30e4664920",
    "loads_url": "s3://acme-mdm-files",
}
