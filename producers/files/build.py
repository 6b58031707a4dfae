"""Build the gatekeeper from the environment, once a process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mdm_stream.aws.clients import Service, aws_client
from mdm_stream.aws.signing_keys import read_signing_keys
from mdm_stream.contracts.signature import SigningKey
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.dead_letters.quarantine import open_quarantine
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.index.reader import IndexReader
from mdm_stream.objects.opening import open_object_store
from mdm_stream.rules import load_rulesets
from producers.delivery import PublisherSettings
from producers.files.addresses import FilesSettings
from producers.files.drop import DropBucket
from producers.files.gatekeeper import Gatekeeper
from producers.files.loads import LoadStore
from producers.files.notify import ChunkQueue, Notifier
from producers.files.settings import FileLimits
from producers.files.surroundings import LoadSurroundings
from producers.publisher import Publisher

if TYPE_CHECKING:
    from mdm_stream.aws.loopback import LoopbackKeys

BUFFERED_RECORDS_MAX = 2_000
"""Events that wait for a slow stream: four requests. A publisher's own 10,000 take 40 MB, of a function's 256."""
_S3_ATTEMPTS_MAX = 3


def build_gatekeeper(environment: Mapping[str, str]) -> Gatekeeper:
    """Return a gatekeeper, which is the worker of its chunks too, for the settings in ``environment``.

    ``ConfigurationError`` or ``RulesError`` says which of them is wrong.
    """
    settings: FilesSettings = FilesSettings.from_environment(environment)
    limits: FileLimits = FileLimits.from_environment(environment)
    return Gatekeeper(surroundings_of(settings, limits))


def surroundings_of(
    settings: FilesSettings, limits: FileLimits, *, keys: LoopbackKeys | None = None, region: str | None = None
) -> LoadSurroundings:
    """Return what the settings name, with clients of its own; ``keys`` are those of a local stack."""
    endpoint, timeout_s = settings.files_endpoint_url or None, settings.aws_timeout_s

    def client(service: Service, address: str | None = endpoint, attempts: int | None = None) -> Any:
        return aws_client(service, address, region, timeout_s=timeout_s, attempts=attempts, keys=keys)

    s3 = client("s3", attempts=_S3_ATTEMPTS_MAX)
    # The publishers try again by themselves, and only what was refused.
    kinesis = client("kinesis", settings.kinesis_endpoint_url or None, attempts=1)
    kms_key_id = settings.kms_key_id
    signing_key = _signing_key(settings, client)
    queue = settings.files_queue_url
    return LoadSurroundings(
        store=LoadStore(open_object_store(settings.files_url, s3_client=s3, kms_key_id=kms_key_id)),
        bucket=DropBucket(s3),
        rulesets=load_rulesets(settings.rules.split(",")),
        limits=limits,
        quarantine=open_quarantine(settings.quarantine_url, s3_client=s3, kms_key_id=kms_key_id),
        notifier=Notifier(
            golden=FeedPublisher(kinesis, settings.golden_stream) if settings.golden_stream else None,
            sns=client("sns") if settings.files_topic_arn else None,
            topic_arn=settings.files_topic_arn,
            events=client("events") if settings.files_bus else None,
            bus=settings.files_bus,
        ),
        open_stream=lambda: Publisher(
            kinesis,
            settings.changes_stream,
            settings=PublisherSettings(buffer_records_max=BUFFERED_RECORDS_MAX),
            signing_key=signing_key,
        ),
        signs=signing_key is not None,
        now_us=lambda: time.time_ns() // 1000,
        queue=ChunkQueue(client("sqs"), queue) if queue else None,
        open_index=_index_opener(settings) if settings.redis_url else None,
        loads_url=settings.files_url,
    )


def _signing_key(settings: FilesSettings, client: Callable[[Service], Any]) -> SigningKey | None:
    key_id = settings.files_signing_key_id
    if not key_id:
        return None
    return read_signing_keys(settings.signing_keys, [key_id], lambda: client("secretsmanager"))[key_id]


def _index_opener(settings: FilesSettings) -> Callable[[Ruleset], IndexReader]:
    # Full loads and the records of rejected rows alone need it.
    from mdm_stream.index.redis.client import open_client  # noqa: PLC0415
    from mdm_stream.index.redis.reader import open_reader  # noqa: PLC0415

    client = open_client(settings.redis_url, settings.redis_timeout_s)
    readers: dict[str, IndexReader] = {}

    def open_index(rules: Ruleset) -> IndexReader:
        reader = readers.get(rules.domain)
        if reader is None:
            reader = readers[rules.domain] = open_reader(client, rules, settings.namespace)
        reader.refresh()
        return reader

    return open_index
