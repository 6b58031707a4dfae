"""Where the gatekeeper of files and its workers find their surroundings."""

from __future__ import annotations

from typing import ClassVar

from mdm_stream.settings import Settings


class FilesSettings(Settings):
    """What the functions need to know of their surroundings; environment names are ``MDM_`` and the upper case.

    ``rules``, ``changes_stream``, ``golden_stream``, ``quarantine_url``, ``redis_url`` and ``namespace`` are those of
    the resolve consumer. ``files_url`` is the store of loads, ``s3://bucket/prefix`` or ``file:///folder``: one that no
    vendor may write. ``files_queue_url`` is the SQS queue of chunks; without one the gatekeeper does all steps of every
    file itself. ``files_topic_arn`` (SNS) and ``files_bus`` (EventBridge) hear how loads end; empty: not.
    ``golden_stream`` carries manifests to the warehouse; empty: not. ``redis_url`` is asked which records a full load
    has not; empty: full loads are held. ``kms_key_id`` encrypts what
    is written to S3, as for the resolve consumer.
    ``files_signing_key_id`` names the key that signs events, where the authority policy wants that; ``signing_keys`` is
    where it is, as for the resolve consumer.

    ``kinesis_endpoint_url`` and ``files_endpoint_url`` (S3, SQS, SNS, EventBridge) are empty except on a laptop.
    ``aws_timeout_s`` is the time-out of one connection, and of one wait for an answer.
    """

    needed_for: ClassVar[str] = "the gatekeeper of files"

    rules: str
    files_url: str
    changes_stream: str
    quarantine_url: str
    golden_stream: str = ""
    redis_url: str = ""
    namespace: str = "main"
    files_queue_url: str = ""
    files_topic_arn: str = ""
    files_bus: str = ""
    kms_key_id: str = ""
    files_signing_key_id: str = ""
    signing_keys: str = ""
    kinesis_endpoint_url: str = ""
    files_endpoint_url: str = ""
    redis_timeout_s: float = 5.0
    aws_timeout_s: float = 10.0
