"""What the load model is asked: the volume that comes, and the choices of a deployment that takes it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from mdm_stream.errors import ConfigurationError

DAY_S, MONTH_DAYS = 86_400, 30
"""A month has 30 days throughout, as in :mod:`mdm_stream.warehouse.cost`."""
ALL_PARTS = frozenset({"api", "files", "warehouse", "reconcile", "compaction"})
"""What a deployment may have beside streams, resolve consumer and cache."""
EVENTS_A_DAY_MAX = 100_000_000_000


@dataclass(frozen=True, slots=True)
class Workload:
    """The volume. ``peak_to_mean`` is the busiest minute's rate by the day's mean; ``skew`` the busiest shard's by the
    mean shard's. ``new_share`` of the events bring a record that was not there, so that after ``days_held`` days there
    are ``events_per_day x new_share x days_held`` records, unless ``records`` says how many.
    """

    events_per_day: int
    peak_to_mean: float = 3.0
    skew: float = 1.25
    new_share: float = 0.02
    event_bytes: int = 1_000
    domains: int = 1
    days_held: int = 365
    records: int | None = None
    lag_s: int = 300

    def __post_init__(self) -> None:
        """Refuse what is no volume; ``ConfigurationError`` names it."""
        _check(
            {
                f"events_per_day: 1 to {EVENTS_A_DAY_MAX:,}": 1 <= self.events_per_day <= EVENTS_A_DAY_MAX,
                "peak_to_mean: 1 to 100": 1 <= self.peak_to_mean <= 100,
                "skew: 1 to 100": 1 <= self.skew <= 100,
                "new_share: 0 to 1": 0 <= self.new_share <= 1,
                "event_bytes: 1 to 1,048,576": 1 <= self.event_bytes <= 1024 * 1024,
                "domains: 1 to 10,000": 1 <= self.domains <= 10_000,
                "days_held: 1 to 3,650": 1 <= self.days_held <= 3_650,
                "records: from 1": self.records is None or self.records >= 1,
                "lag_s: 1 to 86,400": 1 <= self.lag_s <= DAY_S,
            }
        )

    @property
    def mean_rate(self) -> float:
        """Events a second over the day."""
        return self.events_per_day / DAY_S

    @property
    def peak_rate(self) -> float:
        """Events a second in the busiest minute."""
        return self.mean_rate * self.peak_to_mean

    @property
    def records_held(self) -> float:
        """Source records in the index after ``days_held`` days."""
        if self.records is not None:
            return float(self.records)
        return max(1.0, self.events_per_day * self.new_share * self.days_held)


@dataclass(frozen=True, slots=True)
class Footprint:
    """The choices. What is ``None`` the model sizes: shards of streams and cache, type of node, window.

    ``window_s`` is then 1 s up to four shards, and 5 s beyond. ``on_demand`` streams pay by the byte and have no
    shards to choose. ``parts`` are those of ``ALL_PARTS`` that are there.
    """

    batch_size: int = 500
    window_s: float | None = None
    parallelization_factor: int = 1
    memory_mb: int = 1_769
    warehouse_memory_mb: int = 1_024
    retention_hours: int = 168
    change_shards: int | None = None
    golden_shards: int | None = None
    steward_shards: int = 1
    on_demand: bool = False
    node_type: str | None = None
    cache_shards: int | None = None
    replicas: int = 1
    zones: int = 2
    endpoint_zones: int = 2
    log_retention_days: int = 30
    reconciliations_a_day: float = 1.0
    parts: frozenset[str] = field(default=ALL_PARTS)

    def __post_init__(self) -> None:
        """Refuse what no deployment can be; ``ConfigurationError`` names it."""
        shards = (self.change_shards, self.golden_shards, self.cache_shards, self.steward_shards)
        _check(
            {
                "batch_size: 1 to 10,000": 1 <= self.batch_size <= 10_000,
                "window_s: 0 to 300": self.window_s is None or 0 <= self.window_s <= 300,
                "parallelization_factor: 1 to 10": 1 <= self.parallelization_factor <= 10,
                "memory_mb: 128 to 10,240": 128 <= self.memory_mb <= 10_240,
                "warehouse_memory_mb: 128 to 10,240": 128 <= self.warehouse_memory_mb <= 10_240,
                "retention_hours: 24 to 8,760": 24 <= self.retention_hours <= 8_760,
                "shards: from 1": all(each is None or each >= 1 for each in shards),
                "replicas: 0 to 5": 0 <= self.replicas <= 5,
                "zones: 1 to 6": 1 <= self.zones <= 6,
                "endpoint_zones: 1 to zones": 1 <= self.endpoint_zones <= self.zones,
                "log_retention_days: from 1": self.log_retention_days >= 1,
                "reconciliations_a_day: 0 to 24": 0 <= self.reconciliations_a_day <= 24,
                f"parts: {', '.join(sorted(ALL_PARTS))}": self.parts <= ALL_PARTS,
            }
        )


def _check(checks: dict[str, bool]) -> None:
    if wrong := [text for text, holds in checks.items() if not holds]:
        raise ConfigurationError(f"out of range: {'; '.join(wrong)}")


FOOTPRINT_NAMES = tuple(each.name for each in fields(Footprint))
