"""Settings: read once, passed explicitly. Every limit has a name, a default and the reason for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from mdm_stream.errors import ConfigurationError

PREFIX = "MDM_"
FEED_RECORD_BYTES_MIN = 16_384
"""Room for a claim check, and for every message that is none: an erasure, a report of a rejected event."""
FEED_RECORD_BYTES_MAX = 10_485_760
"""The largest record that a Kinesis stream can be set to take."""

_CONVERT: Mapping[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
}


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How the engine works a micro-batch.

    ``commit_attempts_max``: how often a group that met a conflict is read and planned again before it is reported as
    failed; each conflict means that another writer got through. ``transient_attempts_max``: how often a call that met
    a passing fault is tried. ``backoff_ms_base`` and ``backoff_ms_max`` bound the full jitter between attempts.
    ``reevaluations_max``: records worked off the re-evaluation queue with each batch. ``record_cache_size``: records
    kept in the process between batches, by reference and revision (some 3 KB each). ``groups_per_commit_max``:
    independent groups of records that share one commit script, and so its fixed cost, when a batch is first tried.
    ``events_per_plan_max``: a larger batch is worked off in parts of this size, because records that depend on each
    other are committed by one script, and Redis serves nobody else while it runs (some 0.1 ms a record).
    """

    commit_attempts_max: int = 50
    transient_attempts_max: int = 5
    backoff_ms_base: int = 20
    backoff_ms_max: int = 2_000
    reevaluations_max: int = 500
    record_cache_size: int = 50_000
    groups_per_commit_max: int = 32
    events_per_plan_max: int = 1_000

    def __post_init__(self) -> None:
        """Refuse limits that contradict each other."""
        for item in fields(self):
            if getattr(self, item.name) < 1:
                raise ConfigurationError(f"{item.name} must be at least 1")
        if self.backoff_ms_base > self.backoff_ms_max:
            raise ConfigurationError("backoff_ms_base must not be above backoff_ms_max")


@dataclass(frozen=True, slots=True)
class ResolveSettings:
    """What the resolve consumer needs to know of its surroundings; environment names are ``MDM_`` and the upper case.

    ``rules``: comma-separated paths (or pack names), one rule set a domain. ``redis_url``: ``rediss://`` in
    production. ``changes_stream`` and ``golden_stream``: the Kinesis streams that come in and go out.
    ``quarantine_url`` and ``archive_url``: ``s3://bucket/prefix`` or ``file:///folder``. ``namespace`` separates
    environments that share a Redis. ``kinesis_endpoint_url`` is empty except on a laptop. ``redis_timeout_s``: socket
    time-out of one Redis call. A batch that meets a hanging Redis gives up after some six, which must be less than the
    function's own time-out (60 s locally). ``aws_timeout_s``: time-out of one connection to Kinesis or S3, and of one
    wait for its answer; three of them must be less than the function's time-out too.

    ``merges_per_minute_max``: golden records that end in another one, in one consumer process and a minute, before
    that is a merge storm, which is an alarm (ten times what a day of 100,000 records brings at its busiest).
    ``merge_hold``: a storm also holds the domain back until somebody has looked and released it. Neither changes an
    outcome. ``expiries_per_tick_max``: overrides that one tick ends.

    ``feed_record_bytes_max``: the largest record of the golden feed's stream, partition key included; a golden change
    that is larger goes by claim check. Set it to what ``MaxRecordSizeInKiB`` of the stream says, if that was raised,
    and to no more than its readers take (Lambda: 6 MB an invocation). ``claims_url``: where the data of those are kept,
    like ``archive_url``; beside the archive if it is empty. ``golden_bytes_warn``: a golden record larger than this is
    told of, long before it is any trouble.
    """

    rules: str
    redis_url: str
    changes_stream: str
    golden_stream: str
    quarantine_url: str
    archive_url: str
    namespace: str = "main"
    kinesis_endpoint_url: str = ""
    redis_timeout_s: float = 5.0
    aws_timeout_s: float = 10.0
    merges_per_minute_max: int = 5_000
    merge_hold: bool = False
    expiries_per_tick_max: int = 500
    feed_record_bytes_max: int = 1_048_576
    claims_url: str = ""
    golden_bytes_warn: int = 262_144

    def __post_init__(self) -> None:
        """Refuse a size that no stream has."""
        if not FEED_RECORD_BYTES_MIN <= self.feed_record_bytes_max <= FEED_RECORD_BYTES_MAX:
            raise ConfigurationError(
                f"feed_record_bytes_max must be from {FEED_RECORD_BYTES_MIN:,} to {FEED_RECORD_BYTES_MAX:,}"
            )


def settings_from_environment(kind: type[Any], environment: Mapping[str, str]) -> Any:
    """Return a settings object whose fields are read from ``MDM_FIELD_NAME``; what has no default must be there."""
    values: dict[str, Any] = {}
    for item in fields(kind):
        name = PREFIX + item.name.upper()
        text = environment.get(name)
        if text is None:
            continue
        convert = _CONVERT.get(str(item.type), str)
        try:
            values[item.name] = convert(text)
        except (KeyError, ValueError) as error:
            wanted = "true or false" if item.type == "bool" else f"a number ({item.type})"
            raise ConfigurationError(f"{name} must be {wanted}; correct the setting") from error
    try:
        return kind(**values)
    except TypeError as error:
        missing = [
            PREFIX + f.name.upper() for f in fields(kind) if f.name not in values and f.default is f.default_factory
        ]
        raise ConfigurationError(f"a required setting is missing; set {', '.join(missing) or 'all of them'}") from error


def environment_from_settings(settings: Any) -> dict[str, str]:
    """Return the environment from which ``settings_from_environment`` reads equal settings."""
    values = {PREFIX + item.name.upper(): getattr(settings, item.name) for item in fields(settings)}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}
