"""What a size costs a month, an item a price: ``usd = quantity of 30 days x price``. Estimates, and no quotes.

What is left out: the events API's requests, what files cost to validate, the reader of PostgreSQL, traffic out of AWS,
support and taxes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from mdm_stream.capacity.sizing import GB, Sizing
from mdm_stream.capacity.tables import MeasuredTable, PriceTable
from mdm_stream.capacity.workload import MONTH_DAYS, Footprint, Workload
from mdm_stream.metrics import METRICS

HOURS = 24 * MONTH_DAYS
KB = 1_024
PUT_UNIT_BYTES = 25 * KB
ALARMS, DASHBOARDS, KEYS = 60, 1, 1
"""Of a deployment: alarms of the module ``observability``, its dashboard, its KMS key. It has every metric there is."""
COMPACTION_VCPU, COMPACTION_GB, TASK_STARTS_H = 1.0, 2.0, 0.02
BASE_ENDPOINTS = frozenset({"kinesis-streams", "xray"})
ENDPOINTS_BY_PART = {
    "api": frozenset({"secretsmanager"}),
    "files": frozenset({"events", "sns", "sqs"}),
    "reconcile": frozenset({"kms", "logs", "monitoring", "secretsmanager"}),
    "compaction": frozenset({"ecr.api", "ecr.dkr", "kms", "logs", "monitoring", "secretsmanager"}),
    "warehouse": frozenset[str](),
}
"""Interface endpoints that the module ``deployment`` makes for each part."""
SECRETS_BY_PART = {"api": 1, "warehouse": 1}


@dataclass(frozen=True, slots=True)
class CostItem:
    """An item of the bill: what is paid for under ``group``, how much of it a month, and at which price."""

    group: str
    price: str
    quantity: float
    usd_each: float

    @property
    def usd(self) -> float:
        """US dollars a month."""
        return self.quantity * self.usd_each


def endpoints(chosen: Footprint) -> frozenset[str]:
    """Return the interface endpoints of a deployment with these parts."""
    return BASE_ENDPOINTS.union(*(ENDPOINTS_BY_PART[part] for part in chosen.parts))


def monthly_costs(
    load: Workload, chosen: Footprint, size: Sizing, measured: MeasuredTable, prices: PriceTable
) -> tuple[CostItem, ...]:
    """Return the bill of 30 days, after ``days_held`` days of keeping everything."""
    quantities = [
        ("Lambda", "lambda_gb_s", size.gb_s * MONTH_DAYS),
        ("Lambda", "lambda_requests", size.invocations * MONTH_DAYS),
        *_streams(load, chosen, size, measured),
        *_objects(load, size),
        ("KMS", "kms_keys", KEYS),
        ("KMS", "kms_requests", size.kms_requests * MONTH_DAYS),
        ("CloudWatch and X-Ray", "log_gb_in", size.log_bytes * MONTH_DAYS / GB),
        ("CloudWatch and X-Ray", "log_gb_months", size.log_bytes * chosen.log_retention_days / GB),
        ("CloudWatch and X-Ray", "metrics", len(METRICS)),
        ("CloudWatch and X-Ray", "alarms", ALARMS),
        ("CloudWatch and X-Ray", "dashboards", DASHBOARDS),
        ("CloudWatch and X-Ray", "traces", size.traces * MONTH_DAYS),
        ("Secrets Manager", "secrets", 1 + sum(SECRETS_BY_PART.get(part, 0) for part in chosen.parts)),
        ("Network", "endpoint_hours", len(endpoints(chosen)) * chosen.endpoint_zones * HOURS),
        ("Network", "endpoint_gb", size.golden_messages * measured["golden_message_bytes"] * MONTH_DAYS / GB),
        ("Network", "zone_gb", size.cache_bytes * (chosen.zones - 1) / chosen.zones * MONTH_DAYS / GB),
        *_jobs(chosen, size),
    ]
    items = [CostItem(group, price, quantity, prices.usd[price]) for group, price, quantity in quantities]
    node = size.cache.node
    items.append(CostItem("Cache", node.name, size.cache.nodes * HOURS, node.usd_hour))
    return tuple(sorted(items, key=lambda item: (item.group, item.price)))


def _streams(
    load: Workload, chosen: Footprint, size: Sizing, measured: MeasuredTable
) -> Iterator[tuple[str, str, float]]:
    """Yield what the streams cost: provisioned by shards and records put, on demand by bytes in (each record rounded up
    to whole KB), bytes out, and what is kept beyond 24 hours. The steward stream is always provisioned.
    """
    kept_h = chosen.retention_hours - 24
    provisioned = chosen.steward_shards
    volumes = ((load.events_per_day, load.event_bytes), (size.golden_messages, measured["golden_message_bytes"]))
    readers = (1, 1 if "warehouse" in chosen.parts else 0)
    if chosen.on_demand:
        gb = [count * ceil(each / KB) * KB / GB for count, each in volumes]
        yield "Kinesis", "kinesis_stream_hours", 2 * HOURS
        yield "Kinesis", "kinesis_gb_in", sum(gb) * MONTH_DAYS
        yield "Kinesis", "kinesis_gb_out", sum(map(float.__mul__, gb, map(float, readers))) * MONTH_DAYS
        yield "Kinesis", "kinesis_gb_months", sum(gb) * kept_h / 24
    else:
        provisioned += size.changes.shards + size.golden.shards
        units = sum(count * ceil(each / PUT_UNIT_BYTES) for count, each in volumes)
        yield "Kinesis", "kinesis_put_units", units * MONTH_DAYS
    yield "Kinesis", "kinesis_shard_hours", provisioned * HOURS
    yield "Kinesis", "kinesis_shard_retention_hours", provisioned * HOURS if kept_h > 0 else 0.0


def _objects(load: Workload, size: Sizing) -> Iterator[tuple[str, str, float]]:
    """Yield what S3 costs: a PUT a batch and domain, a GET of each by compaction, all bytes of ``days_held`` days."""
    yield "S3", "s3_puts", size.puts * MONTH_DAYS
    yield "S3", "s3_gets", size.gets * MONTH_DAYS
    yield "S3", "s3_gb_months", size.archive_bytes * load.days_held / GB


def _jobs(chosen: Footprint, size: Sizing) -> Iterator[tuple[str, str, float]]:
    """Yield what runs once in a while: Snowflake, the reconciliation on Glue, the compaction on Fargate."""
    if size.warehouse is not None:
        yield "Snowflake", "snowflake_credits", size.warehouse.credits_a_day * MONTH_DAYS
        yield "Snowflake", "snowflake_tb_months", size.warehouse.storage_gb / 1_000
    if "reconcile" in chosen.parts:
        yield "Glue", "glue_dpu_hours", size.glue_dpu_hours * MONTH_DAYS
    if "compaction" in chosen.parts:
        hours = (size.compaction_hours + TASK_STARTS_H) * MONTH_DAYS
        yield "Containers", "fargate_vcpu_hours", hours * COMPACTION_VCPU
        yield "Containers", "fargate_gb_hours", hours * COMPACTION_GB
