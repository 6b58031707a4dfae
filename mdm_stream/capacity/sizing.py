"""From a volume to the size of a deployment: shards, batches, cache, objects, logs. Pure; formulas are with functions.

Everything that has a ceiling is planned to ``UTILISATION_MAX`` of it at the peak of the busiest shard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor

from mdm_stream.capacity.batches import cycle_of, day_shape, events_a_batch_max, lane_rate_max
from mdm_stream.capacity.tables import MeasuredTable, NodeType, PriceTable
from mdm_stream.capacity.workload import DAY_S, Footprint, Workload
from mdm_stream.errors import ConfigurationError
from mdm_stream.warehouse.cost import (
    BATCH_WINDOW_S_MAX,
    CREDITS_AN_HOUR,
    Estimate,
    Volume,
    estimates,
    recommended,
)

UTILISATION_MAX = 0.7
"""How much of a ceiling is used at the peak: the rest is for what waits after an outage."""
SHARD_RECORDS_S, SHARD_BYTES_S = 1_000, 1_000_000
"""What a shard of Kinesis takes a second."""
SHORT_WINDOW_SHARDS_MAX, SHORT_WINDOW_S, LONG_WINDOW_S = 4, 1.0, 5.0
REBUILD_FACTOR = 2
"""An index that is rebuilt lies beside the live one."""
CACHE_RESERVED_SHARE = 0.25
"""Of a node's memory, which ElastiCache reserves by default for snapshots, replication and fragmentation."""
LAGS_S = (300, 900, 3_600, 14_400, 43_200, 86_400)
"""Lags of the warehouse that are tried where the one that is asked for cannot be kept."""
TICKS_A_DAY = 1_440
KMS_REFRESHES_A_DAY, KMS_PRINCIPALS, KMS_BUCKET_KEY_SHARE = 288, 3, 0.01
"""Kinesis asks KMS every five minutes for each stream and user; S3 with bucket keys for one object in a hundred."""
REJECTED_SHARE = 0.0001
"""Of the events, which go to quarantine with a PUT each."""
TRACES_S, TRACES_SHARE = 1.0, 0.05
"""X-Ray's default sampling: one trace a second, and one in twenty beyond."""
SLICES_STEP = 30
ON_DEMAND_SHARDS_MIN = 4
"""What a new stream on demand has; more come as it grows, and each is a lane."""
GB = 1_000_000_000


@dataclass(frozen=True, slots=True)
class StreamSize:
    """Shards of a stream, and which of the needs decided on them: records, bytes, work, or that they were given."""

    shards: int
    needed: int
    because: str


@dataclass(frozen=True, slots=True)
class CacheSize:
    """Nodes of the cache. ``slots`` are those that all domains need, ``slots_a_domain`` those of one of them.

    A slot is a domain of its own; a domain that needs several is cut by something that blocks never cross.
    ``cpu_share`` and ``memory_share`` are of a node at the peak, with the index twice.
    """

    node: NodeType
    shards: int
    nodes: int
    slots_a_domain: int
    slots: int
    index_bytes: float
    cpu_share: float
    memory_share: float


@dataclass(frozen=True, slots=True)
class Sizing:
    """How large everything is; rates are a second, the rest a day unless its name says otherwise."""

    changes: StreamSize
    golden: StreamSize
    cache: CacheSize
    window_s: float
    batch_max: int
    lane_rate_max: float
    lane_rate_peak: float
    batches: float
    events_a_batch: float
    gb_s: float
    invocations: float
    concurrency: int
    golden_messages: float
    archive_objects: float
    archive_bytes: float
    puts: float
    gets: float
    kms_requests: float
    log_bytes: float
    traces: float
    glue_dpu_hours: float
    compaction_hours: float
    cache_bytes: float
    warehouse: Estimate | None
    warehouse_lag_s: int

    @property
    def keeps_up(self) -> bool:
        """Tell whether each lane works off what comes at the peak, and streams and cache take it."""
        enough = self.changes.shards >= self.changes.needed and self.golden.shards >= self.golden.needed
        return enough and self.cache.cpu_share <= 1 and self.cache.memory_share <= 1


def sizing(load: Workload, chosen: Footprint, measured: MeasuredTable, prices: PriceTable) -> Sizing:
    """Return the size of everything for a volume."""
    batch_max = events_a_batch_max(chosen.batch_size, load.event_bytes)
    lane_max = lane_rate_max(measured, batch_max)
    changes = change_stream(load, chosen, lane_max)
    golden = golden_stream(load, chosen, measured)
    window_s = chosen.window_s
    if window_s is None:
        window_s = SHORT_WINDOW_S if changes.shards <= SHORT_WINDOW_SHARDS_MAX else LONG_WINDOW_S
    lanes = changes.shards * chosen.parallelization_factor
    batches, resolve_s = _day_of_batches(load, measured, lanes, batch_max, window_s)
    messages = load.events_per_day * measured["golden_messages_an_event"]
    writes, write_s = _warehouse_batches(load, chosen, measured, golden.shards, messages)
    ticks = TICKS_A_DAY * (2 if "warehouse" in chosen.parts else 1)
    tick_s = ticks * measured["io_wait_s_a_batch"]
    objects = batches * min(float(load.domains), load.events_per_day / batches)
    puts = objects + load.events_per_day * REJECTED_SHARE
    gets = objects if "compaction" in chosen.parts else 0.0
    invocations = batches + writes + ticks
    warehouse, lag_s = _warehouse(load, measured, messages) if "warehouse" in chosen.parts else (None, load.lag_s)
    runs = chosen.reconciliations_a_day if "reconcile" in chosen.parts else 0.0
    millions = load.records_held / 1e6
    return Sizing(
        changes=changes,
        golden=golden,
        cache=cache_size(load, chosen, measured, prices),
        window_s=window_s,
        batch_max=batch_max,
        lane_rate_max=lane_max,
        lane_rate_peak=load.peak_rate * load.skew / lanes,
        batches=batches,
        events_a_batch=load.events_per_day / batches,
        gb_s=(resolve_s + tick_s) * chosen.memory_mb / 1_024 + write_s * chosen.warehouse_memory_mb / 1_024,
        invocations=invocations,
        concurrency=lanes + chosen.steward_shards + 1 + (golden.shards + 1 if "warehouse" in chosen.parts else 0),
        golden_messages=messages,
        archive_objects=objects,
        archive_bytes=load.events_per_day * load.event_bytes * measured["archive_share"],
        puts=puts,
        gets=gets,
        kms_requests=3 * KMS_REFRESHES_A_DAY * KMS_PRINCIPALS + KMS_BUCKET_KEY_SHARE * (puts + gets),
        log_bytes=invocations * measured["log_bytes_a_batch"] + load.events_per_day * measured["log_bytes_an_event"],
        traces=min(invocations, DAY_S * TRACES_S + TRACES_SHARE * invocations),
        glue_dpu_hours=runs
        * (measured["glue_dpu_hours_a_run"] + measured["glue_dpu_hours_a_million_records"] * millions),
        compaction_hours=gets * measured["compaction_s_an_object"] / 3_600,
        cache_bytes=load.events_per_day * (measured["redis_bytes_in_an_event"] + measured["redis_bytes_out_an_event"]),
        warehouse=warehouse,
        warehouse_lag_s=lag_s,
    )


def change_stream(load: Workload, chosen: Footprint, lane_max: float) -> StreamSize:
    """Return the shards of the change stream, the most of three needs::

    busiest = events_per_day / 86,400 x peak_to_mean x skew
    shards  = ceil(max(busiest / 1,000, busiest x event_bytes / 1 MB,
                       busiest / (lane_rate_max x parallelization_factor)) / 0.7)
    """
    busiest = load.peak_rate * load.skew
    needs = {
        "records": busiest / SHARD_RECORDS_S,
        "bytes": busiest * load.event_bytes / SHARD_BYTES_S,
        "work": busiest / (lane_max * chosen.parallelization_factor),
    }
    return _stream_size(needs, chosen.change_shards, chosen)


def golden_stream(load: Workload, chosen: Footprint, measured: MeasuredTable) -> StreamSize:
    """Return the shards of the golden stream: as of the change stream, of its messages, and no work."""
    busiest = load.peak_rate * load.skew * measured["golden_messages_an_event"]
    needs = {
        "records": busiest / SHARD_RECORDS_S,
        "bytes": busiest * measured["golden_message_bytes"] / SHARD_BYTES_S,
    }
    return _stream_size(needs, chosen.golden_shards, chosen)


def cache_size(load: Workload, chosen: Footprint, measured: MeasuredTable, prices: PriceTable) -> CacheSize:
    """Return the nodes of the cache, the cheapest that hold what is needed. A domain is one slot, and one node's work::

    index bytes    = records_held x redis_bytes_a_record x 2 (a rebuild)
    slots a domain = ceil(max(peak / domains x redis_cpu_ms / 1,000 / 0.7,
                              index bytes / domains / (largest node's memory x 0.75)))
    shards         = ceil(slots / slots that fit into a node by memory, and by 0.7 of its core)
    nodes          = shards x (1 + replicas)
    """
    index_bytes = load.records_held * measured["redis_bytes_a_record"] * REBUILD_FACTOR
    cores = load.peak_rate * measured["redis_cpu_ms_an_event"] / 1_000
    candidates = _node_types(chosen, prices)
    room = max(each.memory_bytes for each in candidates) * (1 - CACHE_RESERVED_SHARE)
    core = max(each.core_share for each in candidates) * UTILISATION_MAX
    slots_a_domain = ceil(max(1.0, cores / load.domains / core, index_bytes / load.domains / room))
    slots = slots_a_domain * load.domains
    found: list[tuple[float, NodeType, int]] = []
    for node in candidates:
        by_memory = node.memory_bytes * (1 - CACHE_RESERVED_SHARE) / (index_bytes / slots)
        by_core = node.core_share * UTILISATION_MAX / (cores / slots)
        fitting = floor(min(by_memory, by_core, slots))
        if fitting >= 1 or chosen.node_type is not None:
            shards = chosen.cache_shards or ceil(slots / max(1, fitting))
            found.append((shards * node.usd_hour, node, shards))
    _, node, shards = min(found, key=lambda each: (each[0], each[1].name))
    return CacheSize(
        node=node,
        shards=shards,
        nodes=shards * (1 + chosen.replicas),
        slots_a_domain=slots_a_domain,
        slots=slots,
        index_bytes=index_bytes,
        cpu_share=cores / shards / node.core_share,
        memory_share=index_bytes / shards / (node.memory_bytes * (1 - CACHE_RESERVED_SHARE)),
    )


def _node_types(chosen: Footprint, prices: PriceTable) -> list[NodeType]:
    if chosen.node_type is None:
        return list(prices.nodes.values())
    if chosen.node_type not in prices.nodes:
        raise ConfigurationError(f"no price of node {chosen.node_type}; there are {', '.join(prices.nodes)}")
    return [prices.nodes[chosen.node_type]]


def _stream_size(needs: Mapping[str, float], given: int | None, chosen: Footprint) -> StreamSize:
    because = max(needs, key=lambda name: needs[name])
    needed = max(1, ceil(needs[because] / UTILISATION_MAX))
    if given is not None:
        return StreamSize(given, needed, "given")
    if chosen.on_demand and needed < ON_DEMAND_SHARDS_MIN:
        return StreamSize(ON_DEMAND_SHARDS_MIN, needed, "on demand has four at least")
    return StreamSize(needed, needed, because if needed > 1 else "one is the least")


def _day_of_batches(
    load: Workload, measured: MeasuredTable, lanes: int, batch_max: int, window_s: float
) -> tuple[float, float]:
    """Return the batches of a day over all lanes, and their billed seconds: the sum over 48 parts of the day of
    ``lanes x 1,800 s x rate / events`` with the batches of that part's rate.
    """
    shape = day_shape(load.peak_to_mean)
    batches = billed_s = 0.0
    for begin in range(0, len(shape), SLICES_STEP):
        share = sum(shape[begin : begin + SLICES_STEP]) / SLICES_STEP
        rate = max(load.mean_rate * share / lanes, 1e-9)
        cycle = cycle_of(measured, rate, batch_max, window_s)
        done = lanes * DAY_S * SLICES_STEP / len(shape) * rate / cycle.events
        batches += done
        billed_s += done * cycle.billed_s
    return batches, billed_s


def _warehouse_batches(
    load: Workload, chosen: Footprint, measured: MeasuredTable, shards: int, messages: float
) -> tuple[float, float]:
    """Return the batches that the warehouse consumer writes a day, and their billed seconds: one a shard and window,
    and as many more as 10,000 messages or 6 MB a batch ask for.
    """
    if "warehouse" not in chosen.parts:
        return 0.0, 0.0
    most = events_a_batch_max(10_000, int(measured["golden_message_bytes"]))
    batches = max(min(messages, shards * DAY_S / min(load.lag_s, BATCH_WINDOW_S_MAX)), messages / most)
    return batches, (batches * measured["warehouse_s_a_batch"] + messages * measured["warehouse_ms_a_message"] / 1_000)


def _warehouse(load: Workload, measured: MeasuredTable, messages: float) -> tuple[Estimate, int]:
    """Return the estimate of :mod:`mdm_stream.warehouse.cost` for the way and size that it recommends, and the lag:

    the one asked for, or the shortest of ``LAGS_S`` after it that some size of virtual warehouse keeps.
    """
    golden = max(1, ceil(load.records_held / max(1.0, measured["records_a_golden_record"])))
    lags = [load.lag_s, *(lag_s for lag_s in LAGS_S if lag_s > load.lag_s)]
    for lag_s in lags:
        volume = Volume(max(1, ceil(messages)), lag_s, golden)
        advice = recommended(volume)
        size = advice["size of the virtual warehouse"].split(",")[0]
        if "," not in advice["size of the virtual warehouse"] or lag_s == lags[-1]:
            break
    assert size in CREDITS_AN_HOUR
    return next(each for each in estimates(volume, size) if each.path == advice["writer"]), lag_s
