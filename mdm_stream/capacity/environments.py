"""The environments that ``infra/terraform`` has, as the load model sees them: sizes as configured, and a volume to try.

A test compares the sizes with the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from mdm_stream.capacity.workload import ALL_PARTS, Footprint, Workload

DEFAULT_PARTS = frozenset({"api"})
"""What an environment has before images, Snowflake and domains to reconcile are named in its variables."""


@dataclass(frozen=True, slots=True)
class EnvironmentSize:
    """An environment: a volume that it is meant for, its sizes, and what its budget warns of (US dollars a month)."""

    load: Workload
    footprint: Footprint
    budget_usd: float

    def whole(self) -> Footprint:
        """Return its sizes with every part that it may have."""
        return replace(self.footprint, parts=ALL_PARTS)


ENVIRONMENTS: Mapping[str, EnvironmentSize] = MappingProxyType(
    {
        "dev": EnvironmentSize(
            Workload(10_000),
            Footprint(
                change_shards=1, golden_shards=1, steward_shards=1, retention_hours=24, node_type="cache.t4g.small",
                cache_shards=1, replicas=1, zones=2, endpoint_zones=1, log_retention_days=7, parts=DEFAULT_PARTS,
            ),
            400,
        ),
        "staging": EnvironmentSize(
            Workload(50_000),
            Footprint(
                change_shards=1, golden_shards=1, steward_shards=1, retention_hours=168, node_type="cache.t4g.medium",
                cache_shards=1, replicas=1, zones=2, endpoint_zones=2, log_retention_days=14, parts=DEFAULT_PARTS,
            ),
            700,
        ),
        "prod": EnvironmentSize(
            Workload(100_000),
            Footprint(
                on_demand=True, steward_shards=1, retention_hours=168, node_type="cache.r7g.large",
                cache_shards=1, replicas=2, zones=3, endpoint_zones=2, log_retention_days=30, parts=DEFAULT_PARTS,
            ),
            1_500,
        ),
    }
)  # fmt: skip
