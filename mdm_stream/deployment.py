"""Where the streams and stores of one deployment are, and how its parts are opened.

One home for addresses: they come from the consumers' settings (``from_environment``), or from the local stack that
runs in a folder (``from_local``), and are ``overridden`` by what a caller names. Entry points, commands and APIs open
what they need from here.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import orjson

from mdm_stream.aws.clients import aws_client
from mdm_stream.errors import ConfigurationError
from mdm_stream.files import require_own_folder, write_atomically
from mdm_stream.settings import ResolveSettings

if TYPE_CHECKING:
    import redis

    from mdm_stream.archive import Archive
    from mdm_stream.aws.loopback import LoopbackKeys
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.decode.authority import Authority
    from mdm_stream.feed.claims import ClaimStore
    from mdm_stream.feed.publisher import FeedPublisher
    from mdm_stream.feed.reader import FeedReader
    from mdm_stream.feed.snapshot_store import FeedSnapshots
    from mdm_stream.objects.store import ObjectStore
    from mdm_stream.warehouse import Warehouse, WarehouseSettings

STACK_FILE = "stack.json"
"""What `mdm-stream up` leaves in its state folder while it runs."""
WAREHOUSE_FILE = "warehouse.duckdb"
QUARANTINE_FOLDER = "quarantine"
ARCHIVE_FOLDER = "archive"
ON_FAILURE_FOLDER = "on-failure"
FILES_FOLDER = "files"
"""The store of loads of files."""

_OF_FILES = ("files_url", "files_queue_url", "files_topic_arn", "files_bus")
"""Settings of the gatekeeper of files, which a deployment need not have."""
_OF_COMMANDS = ("snapshots_url",)
"""Settings that no function has, and commands ask for."""

OBJECT_ATTEMPTS_MAX = 3
"""Attempts of one request to S3, before it is a fault of the batch that needed it."""
_CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The addresses of one deployment; what is empty was not named. Nothing is connected before it is opened.

    Stores are ``file:///folder``, ``s3://bucket/prefix`` or a path; ``claims_url`` and ``snapshots_url`` are beside the
    archive if empty. ``kms_key_id`` encrypts what is written to S3; empty: each bucket's default does. ``files_url`` is
    the store of loads of files; queue, topic and bus are those of their gatekeeper.
    ``warehouse`` is ``None`` if none was named. ``timeout_s`` bounds each call of AWS. ``state`` is the folder of the
    local stack, if it is one, and ``keys`` are those of its Kinesis API.
    """

    rules: tuple[str, ...] = ()
    redis_url: str = ""
    namespace: str = "main"
    changes_stream: str = ""
    steward_stream: str = ""
    golden_stream: str = ""
    authority_setting: str = ""
    signing_keys: str = ""
    kinesis_endpoint_url: str = ""
    s3_endpoint_url: str = ""
    region: str = ""
    archive_url: str = ""
    claims_url: str = ""
    snapshots_url: str = ""
    quarantine_url: str = ""
    kms_key_id: str = ""
    on_failure_url: str = ""
    files_url: str = ""
    files_queue_url: str = ""
    files_topic_arn: str = ""
    files_bus: str = ""
    feed_record_bytes_max: int = ResolveSettings.model_fields["feed_record_bytes_max"].default
    timeout_s: float | None = None
    warehouse: WarehouseSettings | None = None
    state: Path | None = None
    keys: LoopbackKeys | None = None

    @classmethod
    def from_settings(cls, settings: ResolveSettings, warehouse: WarehouseSettings | None = None) -> Self:
        """Return the deployment of the consumers' settings."""
        return cls(
            rules=tuple(settings.rules.split(",")),
            redis_url=settings.redis_url,
            namespace=settings.namespace,
            changes_stream=settings.changes_stream,
            steward_stream=settings.steward_stream,
            authority_setting=settings.authority,
            signing_keys=settings.signing_keys,
            golden_stream=settings.golden_stream,
            kinesis_endpoint_url=settings.kinesis_endpoint_url,
            archive_url=settings.archive_url,
            claims_url=settings.claims_url,
            quarantine_url=settings.quarantine_url,
            kms_key_id=settings.kms_key_id,
            feed_record_bytes_max=settings.feed_record_bytes_max,
            timeout_s=settings.aws_timeout_s,
            warehouse=warehouse,
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the deployment whose consumers have this environment; ``ConfigurationError`` names what is wrong."""
        from mdm_stream.warehouse import WarehouseSettings  # noqa: PLC0415 - the resolve consumer has none

        settings = ResolveSettings.from_environment(environment)
        return replace(
            cls.from_settings(settings, WarehouseSettings.from_environment(environment)),
            timeout_s=None,  # a command may wait as long as the SDK does
        ).overridden(**{name: environment.get(f"MDM_{name.upper()}") for name in _OF_FILES + _OF_COMMANDS})

    @classmethod
    def from_local(cls, state: Path) -> Self:
        """Return the deployment of the local stack that runs in ``state``; ``ConfigurationError`` if none does."""
        from mdm_stream.warehouse import WarehouseSettings  # noqa: PLC0415

        stack = running_stack(state)
        return cls(
            rules=stack.rules,
            redis_url=stack.redis_url,
            changes_stream=stack.changes_stream,
            steward_stream=stack.steward_stream,
            golden_stream=stack.golden_stream,
            kinesis_endpoint_url=stack.kinesis_endpoint_url,
            archive_url=str(state / ARCHIVE_FOLDER),
            quarantine_url=str(state / QUARANTINE_FOLDER),
            on_failure_url=str(state / ON_FAILURE_FOLDER),
            files_url=str(state / FILES_FOLDER),
            files_queue_url=stack.files_queue_url,
            files_topic_arn=stack.files_topic_arn,
            warehouse=WarehouseSettings(duckdb_path=stack.warehouse) if stack.warehouse else None,
            state=state,
            keys=stack.keys,
        )

    @classmethod
    def from_addresses(cls, environment: Mapping[str, str]) -> Self:
        """Return a deployment whose addresses are named one by one; the environment says its KMS key alone."""
        return cls(kms_key_id=environment.get(ResolveSettings.variable("kms_key_id"), ""))

    def overridden(self, **named: Any) -> Self:
        """Return the deployment with everything that was named: neither ``None`` nor empty."""
        return replace(self, **{name: value for name, value in named.items() if value})

    def rulesets(self) -> dict[str, Ruleset]:
        """Return the compiled rule sets by domain."""
        from mdm_stream.rules import load_rulesets  # noqa: PLC0415

        return load_rulesets(self.rules)

    def redis(self) -> redis.Redis:
        """Return a client of the index's server; ``ConfigurationError`` for what is no address of one."""
        return redis_client(self.redis_url)

    def kinesis(self, attempts: int | None = None) -> Any:
        """Return a client of the Kinesis API."""
        return aws_client(
            "kinesis",
            self.kinesis_endpoint_url or None,
            self.region or None,
            timeout_s=self.timeout_s,
            attempts=attempts,
            keys=self.keys,
        )

    def authority(self) -> Authority:
        """Return who may say what, with the keys that it names; ``ConfigurationError`` for a setting that is wrong."""
        from mdm_stream.aws.signing_keys import read_signing_keys  # noqa: PLC0415
        from mdm_stream.decode.authority import Authority  # noqa: PLC0415
        from mdm_stream.decode.authority_policy import policy_of  # noqa: PLC0415

        policy = policy_of(self.authority_setting, self.steward_stream)
        return Authority(policy, read_signing_keys(self.signing_keys, policy.keys, self._secrets))

    def _secrets(self) -> Any:
        return aws_client("secretsmanager", None, self.region or None, timeout_s=self.timeout_s)

    def store(self, url: str) -> ObjectStore:
        """Return the store at an address."""
        from mdm_stream.objects.opening import open_object_store  # noqa: PLC0415

        return open_object_store(as_url(url), s3_client=self._s3(url), kms_key_id=self.kms_key_id)

    def archive(self) -> Archive:
        """Return the archive."""
        from mdm_stream.archive import Archive  # noqa: PLC0415

        return Archive(self.store(self.archive_url))

    def claims(self) -> ClaimStore:
        """Return where the data of claim checks are kept."""
        from mdm_stream.feed.claims import ClaimStore, claims_url_of  # noqa: PLC0415

        url = claims_url_of(as_url(self.archive_url), self.claims_url and as_url(self.claims_url))
        return ClaimStore(self.store(url), url)

    def snapshots(self) -> FeedSnapshots:
        """Return where snapshots of the golden feed are kept."""
        from mdm_stream.feed.snapshot_store import FeedSnapshots, snapshots_url_of  # noqa: PLC0415

        url = snapshots_url_of(as_url(self.archive_url), self.snapshots_url and as_url(self.snapshots_url))
        return FeedSnapshots(self.store(url))

    def golden_publisher(self, kinesis: Any = None) -> FeedPublisher:
        """Return the publisher of the golden feed, on a client that does not try again by itself."""
        from mdm_stream.feed.publisher import FeedPublisher  # noqa: PLC0415

        return FeedPublisher(
            kinesis if kinesis is not None else self.kinesis(attempts=1),
            self.golden_stream,
            claims=self.claims(),
            record_bytes_max=self.feed_record_bytes_max,
        )

    def feed_reader(self) -> FeedReader:
        """Return a reader of the golden feed that follows its claim checks into this deployment's store."""
        from mdm_stream.feed.reader import FeedReader  # noqa: PLC0415

        return FeedReader(self.kinesis(), self.golden_stream, follow=self.claims().fetch)

    def open_warehouse(self, *, writing: bool, lock_wait_ms: int) -> Warehouse | None:
        """Return the warehouse; ``None`` if none was named, or before the first message has made its DuckDB file."""
        from mdm_stream.warehouse import DuckDbWarehouse, open_warehouse  # noqa: PLC0415

        if self.warehouse is None:
            return None
        if self.warehouse.kind != "duckdb":
            return open_warehouse(self.warehouse)
        if not Path(self.warehouse.duckdb_path).exists():
            return None
        return DuckDbWarehouse(self.warehouse.duckdb_path, read_only=not writing, lock_wait_ms=lock_wait_ms)

    def _s3(self, url: str) -> Any:
        if urlsplit(url).scheme != "s3":
            return None
        return aws_client(
            "s3",
            self.s3_endpoint_url or None,
            self.region or None,
            timeout_s=self.timeout_s,
            attempts=OBJECT_ATTEMPTS_MAX if self.timeout_s else None,
            keys=self.keys if self.s3_endpoint_url == self.kinesis_endpoint_url else None,
        )


def as_url(address: str) -> str:
    """Return a store's address as a URL: a path means a folder."""
    return address if "://" in address else Path(address).absolute().as_uri()


def redis_client(redis_url: str) -> redis.Redis:
    """Return a client that answers in bytes; ``ConfigurationError`` for what is no address of a Redis."""
    from mdm_stream.index.redis.client import open_client  # noqa: PLC0415 - --help does without

    return open_client(redis_url)


@dataclass(frozen=True, slots=True)
class RunningStack:
    """The addresses and keys of a running local stack. ``rules`` are absolute paths or names of packs.

    ``events_api_key`` signs the tokens that the events API takes, in base64url. ``metrics_url`` is where Prometheus
    reads metrics, empty where none are offered. ``drop`` and what follows are of files, and empty where no source of
    the rules delivers any.
    """

    kinesis_endpoint_url: str
    changes_stream: str
    golden_stream: str
    redis_url: str
    warehouse: str
    rules: tuple[str, ...]
    keys: LoopbackKeys | None = None
    steward_stream: str = ResolveSettings.model_fields["steward_stream"].default
    events_api_url: str = ""
    events_api_key: str = field(default="", repr=False)
    metrics_url: str = ""
    drop: str = ""
    drop_bucket: str = ""
    files_queue_url: str = ""
    files_topic_arn: str = ""


def read_stack(state: Path) -> RunningStack:
    """Return the stack that runs in ``state``; ``ConfigurationError`` if there is none or its file is damaged.

    A folder that another user has made, or can change, is refused: it could lead all that is sent to an address of
    theirs.
    """
    from mdm_stream.aws.loopback import LoopbackKeys  # noqa: PLC0415 - loads boto3, which --help does without

    path = state / STACK_FILE
    try:
        fields = orjson.loads((require_own_folder(state) / STACK_FILE).read_bytes())
        keys = LoopbackKeys(**fields["keys"]) if fields["keys"] else None
        return RunningStack(**{**fields, "rules": tuple(fields["rules"]), "keys": keys})
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"no local stack runs in {state}; start one with `mdm-stream up`, or name its directory with --state"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(f"{path} is damaged; stop `mdm-stream up` and start it again") from error


def running_stack(state: Path) -> RunningStack:
    """Return the stack that runs in ``state`` once its Kinesis API has proved to be it; else ``ConfigurationError``.

    A stack that was killed leaves its file behind: without this question a client would retry for minutes, or send to
    another program that has taken its port.
    """
    from mdm_stream.aws.loopback import is_the_stack  # noqa: PLC0415

    stack = read_stack(state)
    try:
        proved = stack.keys is not None and is_the_stack(stack.kinesis_endpoint_url, stack.keys, _CONNECT_TIMEOUT_S)
    except (OSError, http.client.HTTPException) as error:
        raise ConfigurationError(
            f"the local stack in {state} does not answer any more; start it again with `mdm-stream up`"
        ) from error
    if not proved:
        raise ConfigurationError(
            f"what answers at the address of the local stack in {state} is another program, or of another release: "
            "nothing was sent to it; start the stack again with `mdm-stream up`"
        )
    return stack


def write_stack(state: Path, stack: RunningStack) -> None:
    """Record the addresses of the stack that runs in ``state``, readable by its owner alone, as one atomic step."""
    write_atomically(state / STACK_FILE, orjson.dumps(asdict(stack), option=orjson.OPT_INDENT_2))


def remove_stack(state: Path) -> None:
    """Say that no stack runs in ``state`` any more; nothing happens if none did."""
    (state / STACK_FILE).unlink(missing_ok=True)
