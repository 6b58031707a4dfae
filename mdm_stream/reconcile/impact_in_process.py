"""F of events that fit in this process, and the impact between two such states: by the engine and DuckDB, not Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from mdm_stream.core.canonical import canonical_json
from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.cluster.golden import digest_of_content
from mdm_stream.core.fold import EMPTY, Delivered, Foldable, RecordState, fold
from mdm_stream.core.reference import Resolution
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import ConfigurationError, TerminalError
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.reconcile.impact import SAMPLES, Impact, measured
from mdm_stream.reconcile.impact_tables import DuckDbTables

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_RECORDS = 1_000
"""Records that the engine takes at once. It bounds memory and never changes the result."""


@dataclass(frozen=True, slots=True)
class StateInProcess:
    """F of one domain: what it says, and the pairs in the middle band that it keeps."""

    resolution: Resolution
    doubts: tuple[Edge, ...]


def state_of_events(
    rules: Ruleset, events: Iterable[Foldable], on_records: Callable[[int], None] = lambda _done: None
) -> StateInProcess:
    """Return F of events, in any order; all is held in memory. ``on_records`` is called with how many are resolved."""
    states: dict[str, RecordState] = {}
    for event in events:
        for ref in event.refs:
            states[ref] = fold(states.get(ref, EMPTY), event, ref).state
    index = MemoryIndex(rules)
    engine = Engine(rules, index)
    done = 0
    for batch in _batches(Delivered(rules.domain, ref, state) for ref, state in states.items()):
        report = engine.process(batch)
        if report.failed:
            raise TerminalError(f"the engine could not apply a batch: {report.cause}")
        index.acknowledge(index.read(report.changes))  # there is no feed
        done += len(batch)
        on_records(done)
    engine.drain()
    resolution = index.snapshot()
    held = index.read_neighbourhood(list(resolution.crosswalk)).reviews.values()
    doubts = {review.edge.pair: review.edge for reviews in held for review in reviews}
    return StateInProcess(resolution, tuple(doubts[pair] for pair in sorted(doubts)))


def impact_in_process(domain: str, before: StateInProcess, after: StateInProcess, *, samples: int = SAMPLES) -> Impact:
    """Return the impact of going from one state to another, equal to that of ``impact.impact_of``, by DuckDB.

    ``ConfigurationError`` without the packages duckdb and pyarrow.
    """
    try:
        import duckdb  # noqa: PLC0415 - only an extra installs it

        inputs = {
            f"{name}_{side}": table
            for side, state in (("before", before), ("after", after))
            for name, table in _tables(state).items()
        }
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"comparing two states needs the package {error.name}; install it with: pip install 'mdm-stream[local]'"
        ) from error
    with duckdb.connect(":memory:") as connection:
        return measured(DuckDbTables(connection, inputs), domain, samples)


def _tables(state: StateInProcess) -> dict[str, pa.Table]:
    import pyarrow as pa  # noqa: PLC0415 - only an extra installs it

    text, content = pa.string(), pa.binary()
    golden = {golden_id: canonical_json(said) for golden_id, said in state.resolution.golden.items()}
    items = state.resolution.review
    crosswalk = state.resolution.crosswalk

    def table(**columns: tuple[pa.DataType, Iterable[object]]) -> pa.Table:
        return pa.table({name: pa.array(list(values), kind) for name, (kind, values) in columns.items()})

    return {
        "crosswalk": table(ref=(text, crosswalk), golden_id=(text, crosswalk.values())),
        "golden": table(golden_id=(text, golden), digest=(text, map(digest_of_content, golden.values()))),
        "contents": table(golden_id=(text, golden), content=(content, golden.values())),
        "items": table(
            a=(text, (a for a, _ in items)),
            b=(text, (b for _, b in items)),
            item=(content, map(canonical_json, items.values())),
        ),
        "links": table(
            a=(text, (edge.a for edge in state.doubts)),
            b=(text, (edge.b for edge in state.doubts)),
            link=(pa.bool_(), (edge.link for edge in state.doubts)),
        ),
    }


def _batches(states: Iterator[Delivered]) -> Iterator[list[Delivered]]:
    while batch := list(islice(states, BATCH_RECORDS)):
        yield batch
