"""Settings: read once, passed explicitly. Every limit has a name, a default and the reason for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mdm_stream.errors import ConfigurationError

FEED_RECORD_BYTES_MIN = 65_536
"""Ample room for what never goes by claim check: an erasure, a report of a rejected event, a claim check itself."""
FEED_RECORD_BYTES_MAX = 10_485_760
"""The largest record that a Kinesis stream can be set to take."""

Count = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """A frozen group of settings, each read from the variable of its name in upper case behind ``env_prefix``.

    Made with keywords it reads nothing: ``from_environment`` alone asks the environment. An empty variable counts as
    not set. Whatever does not fit is a ``ConfigurationError`` that names the variable and what it may hold, and
    never repeats its value.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, validate_default=True)
    env_prefix: ClassVar[str] = "MDM_"
    needed_for: ClassVar[str] = "this process"
    """What cannot do without the settings that have no default, for the error that says so."""
    variables: ClassVar[Mapping[str, str]] = {}
    """Names in the environment of settings that are called otherwise here."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **fixed: Any) -> Self:
        """Return the settings that the environment holds; ``fixed`` are given by the caller."""
        texts = {name: environment.get(cls.variable(name)) for name in cls.model_fields}
        return cls.checked(**{**{name: text for name, text in texts.items() if text}, **fixed})

    @classmethod
    def checked(cls, **values: Any) -> Self:
        """Return the settings of keywords; ``ConfigurationError`` where they do not fit."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigurationError(cls._wrong(error)) from None

    def to_environment(self) -> dict[str, str]:
        """Return the environment from which equal settings are read."""
        values = {self.variable(name): getattr(self, name) for name in type(self).model_fields}
        return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}

    @classmethod
    def variable(cls, name: str) -> str:
        """Return the variable that a setting is read from."""
        return f"{cls.env_prefix}{cls.variables.get(name, name).upper()}"

    @classmethod
    def _wrong(cls, error: ValidationError) -> str:
        found = error.errors(include_url=False, include_input=False)
        missing = [cls.variable(str(each["loc"][0])) for each in found if each["type"] == "missing"]
        if missing:
            return f"set {', '.join(missing)}: {cls.needed_for} needs {'it' if len(missing) == 1 else 'them'}"
        first = found[0]
        if not first["loc"]:
            return str(first["msg"]).removeprefix("Value error, ")
        what = str(first["msg"]).removeprefix("Input ").removeprefix("should ")
        return f"{cls.variable(str(first['loc'][0]))} should {what}; correct the setting"


class EngineSettings(Settings):
    """How the engine works a micro-batch.

    ``commit_attempts_max``: how often a group that met a conflict is read and planned again before it is reported as
    failed; each conflict means that another writer got through. ``transient_attempts_max``: how often a call that met
    a passing fault is tried. ``backoff_ms_base`` and ``backoff_ms_max`` bound the full jitter between attempts.
    ``reevaluations_max``: records worked off the re-evaluation queue with each batch. ``record_cache_size``: records
    kept in the process between batches, by reference and revision (some 3 KB each; fewer if they are large).
    ``groups_per_commit_max``: independent groups of records that share one commit script, and so its fixed cost, when a
    batch is first tried. ``forget_after_s``: values that a process has remembered are forgotten after so many seconds,
    with its next batch or tick: another process may have erased their record, which tells nobody.
    ``events_per_plan_max``: a larger batch is worked off in parts of this size, because records that depend on each
    other are committed by one script, and Redis serves nobody else while it runs (some 0.1 ms a record).
    ``faults_in_a_row_max``: distinct events that may meet an unexpected fault, in batches most of which do, before that
    counts as a fault of the release: then none is quarantined for it any more, and batches fail.
    ``later_tolerance_s``: a write of a record that loses to one made earlier by more is counted and told, because the
    positions of its source fall while time goes on; clocks of one source differ by less. It changes no outcome.
    """

    commit_attempts_max: Count = 50
    transient_attempts_max: Count = 5
    backoff_ms_base: Count = 20
    backoff_ms_max: Count = 2_000
    reevaluations_max: Count = 500
    record_cache_size: Count = 50_000
    groups_per_commit_max: Count = 32
    events_per_plan_max: Count = 1_000
    faults_in_a_row_max: Count = 25
    forget_after_s: Count = 600
    later_tolerance_s: Annotated[int, Field(ge=0)] = 300

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.backoff_ms_base > self.backoff_ms_max:
            raise ValueError("MDM_BACKOFF_MS_BASE must not be above MDM_BACKOFF_MS_MAX")
        return self


class ResolveSettings(Settings):
    """What the resolve consumer needs to know of its surroundings; environment names are ``MDM_`` and the upper case.

    ``rules``: comma-separated paths (or pack names), one rule set a domain. ``redis_url``: ``rediss://`` in
    production. ``changes_stream`` and ``golden_stream``: the Kinesis streams that come in and go out.
    ``steward_stream`` brings what stewards and operators say, to the same function. ``authority``: who may say what, a
    JSON document or the path of one (``mdm_stream.decode.authority_policy``); empty: records on every stream, the
    rest on the steward stream alone. ``signing_keys``: where the keys are that it names, ``secretsmanager:PREFIX`` or
    a folder.
    ``quarantine_url`` and ``archive_url``: ``s3://bucket/prefix`` or ``file:///folder``. ``kms_key_id``: the KMS key
    (id, alias or ARN) that encrypts every object that is written to S3, whatever the bucket's default; empty: that
    default, which is S3's own key where the bucket has none. ``namespace`` separates
    environments that share a Redis. ``kinesis_endpoint_url`` is empty except on a laptop. ``redis_timeout_s``: socket
    time-out of one Redis call. A batch that meets a hanging Redis fails after some six, which must be less than the
    function's own time-out (60 s locally). ``redis_replicas_min``: replicas that must have a batch before it counts as
    done; with 0 one must, while any follows the primary. ``aws_timeout_s``: time-out of one connection to Kinesis or
    S3, and of one wait for its answer; three of them must be less than the function's time-out too.

    ``merges_per_minute_max``: golden records that end in another one, in one consumer process and a minute, before
    that is a merge storm, which is an alarm (ten times what a day of 100,000 records brings at its busiest).
    ``merge_hold``: a storm also holds the domain back until an operator releases it. Neither changes an
    outcome. ``expiries_per_tick_max``: overrides that one tick ends.

    ``feed_record_bytes_max``: the largest record of the golden feed's stream, partition key included; a golden change
    that is larger goes by claim check. Set it to what ``MaxRecordSizeInKiB`` of the stream says, if that was raised,
    and to no more than its readers take (Lambda: 6 MB an invocation). ``claims_url``: where the data of those are kept,
    like ``archive_url``; beside the archive if it is empty. ``golden_bytes_warn``: a golden record larger than this is
    reported, long before it is any trouble.
    """

    needed_for: ClassVar[str] = "the resolve consumer"

    rules: str
    redis_url: str
    changes_stream: str
    golden_stream: str
    quarantine_url: str
    archive_url: str
    kms_key_id: str = ""
    steward_stream: Annotated[str, Field(min_length=1)] = "mdm-steward"
    authority: str = ""
    signing_keys: str = ""
    namespace: str = "main"
    kinesis_endpoint_url: str = ""
    redis_timeout_s: float = 5.0
    redis_replicas_min: Annotated[int, Field(ge=0)] = 0
    aws_timeout_s: float = 10.0
    merges_per_minute_max: int = 5_000
    merge_hold: bool = False
    expiries_per_tick_max: int = 500
    feed_record_bytes_max: Annotated[int, Field(ge=FEED_RECORD_BYTES_MIN, le=FEED_RECORD_BYTES_MAX)] = 1_048_576
    claims_url: str = ""
    golden_bytes_warn: int = 262_144
