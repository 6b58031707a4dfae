"""Compare the live state with F, at one consistent position, while writers go on.

F was computed of the states S that the archive held in one listing. An index has at a moment t the states S(t), and
where its queue is worked off it is F(S(t)). Every difference between the two is looked at twice:

1. All of the index is read, in pages, and joined with F. Whatever differs is a *suspect*, unless it is touched.
2. What is around the suspects is read again, each portion at one moment t. Then ``settle_s`` is waited for: by then
   whatever had been committed at t is archived, since commit and archiving are steps of one invocation. What was
   archived since S was listed is folded: records whose states it changes have *moved*. A suspect that still differs,
   and is not touched, is drift.

**Touched** is a record that has moved or waits for re-evaluation; one that shares a blocking key with such a record,
by its key before or after or as the index has them in one block at t, unless the key is suspended whatever the moved
ones do; one that F links to any of these, or to a record that was not read at t; and one in whose component, as the
index had it at t, is any of these.

**Why nothing else can differ without damage.** Let d be about record r, which is not touched, and C the component of r
at t. Neither a member of C nor a record that F links to one has moved, or shares an open key with one that has. So
the states of all members of C are those in S. The candidates of each of these records are the same in S as at t: a pair
is a candidate by an open key, a key is open or not by how many share it, and both change only where a moved record has
the key. A verdict is part of the states of both. So each of them has the same edges before any is left out, and keeps
the same; an edge between two of them is kept in S if and only if it is at t. No kept link leaves C at t. None does in
S: its other end would be a record that F links to a member of C, for which the same holds, and so would keep it at t.
C is therefore a component in S too, with the same states and links, and F says of it what the index does: members,
golden records, ids, values, refused links. A pair in the middle band is kept by one of its two ends, and is a question
if these are in different golden records, which was just shown to be the same.

**At one moment.** Components and REVIEW edges carry the stamp of their last change. They are read before and after all
else of a portion; where a stamp has moved the portion is read again. The queue is read between the blocks and the
second reading: a record that was waiting is seen there, or was evaluated before, and then a stamp has moved.

**What is not promised.** Damage to what is touched shows in the next run, when it is not touched any more. What an
invocation committed and cannot archive for longer than ``settle_s`` (the archive is away; Lambda tries again) looks
like a stale record; a repair folds what is archived by then, and leaves alone what is ahead of that. The warehouse
follows the feed: it is read again too, and where it has not come by then to where the index was before, nothing is said
about it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING

from mdm_stream.archive import Archive, Exclusion
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.index.errors import EpochChangedError
from mdm_stream.index.redis.scan import RedisScanner
from mdm_stream.reconcile.differences import COLUMNS, KEY, index_differences, warehouse_differences
from mdm_stream.reconcile.expected import Expected
from mdm_stream.reconcile.live_index import Around, write_again, write_index
from mdm_stream.reconcile.live_tables import LiveIndex, live_index, live_warehouse
from mdm_stream.reconcile.live_warehouse import write_warehouse
from mdm_stream.reconcile.touched import both_ways, moved_records, touched_records, write_later_states
from mdm_stream.reconcile.worker_rules import WorkerRules
from mdm_stream.reconcile.workspace import Workspace
from mdm_stream.warehouse import Warehouse

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SETTLE_S = 60.0
SAMPLES = 20
_SUSPECTS_PER_READ = 500


@dataclass(frozen=True, slots=True)
class CompareSettings:
    """``settle_s``: seconds after which what was committed is archived, that of a resolve function's time-out.
    ``samples``: differences of each kind that the report shows.
    """

    settle_s: float = SETTLE_S
    samples: int = SAMPLES


@dataclass(frozen=True, slots=True)
class Sample:
    """One difference: its kind, what it is about, and some of the records that it depends on. No values."""

    side: str
    kind: str
    item: str
    first: str
    second: str | None
    refs: tuple[str, ...]


@dataclass(slots=True)
class Reconciliation:
    """What a comparison found.

    ``drift``: how many differences of each kind stand. ``samples``: some of each kind. ``touched``: differences about
    what changed meanwhile, which say nothing. ``settled``: those that the second look did not find any more. ``before``
    and ``after`` are the index's positions, ``warehouse`` the warehouse's (``None``: it was not compared), which was
    ``warehouse_behind`` if it had not come to where the index was. ``tables`` has the differences, as ``drift``.
    """

    domain: str
    before: EpochPosition
    after: EpochPosition
    records: int
    round_trips: int
    tables: Workspace = field(repr=False)
    drift: dict[str, int] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    touched: int = 0
    settled: int = 0
    moved: int = 0
    warehouse: tuple[int, int] | None = None
    warehouse_behind: bool = False
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Whether nothing differs."""
        return not self.drift


class Compare:
    """One comparison of one domain.

    ``expected`` is F of what the archive's objects named ``listed`` hold; ``exclusions`` are those that it was computed
    with. ``tables`` is the job's own: it gets values of records, and is the caller's to remove.
    """

    def __init__(  # noqa: PLR0913 - the two sides, and what each of them needs
        self,
        rules: Ruleset,
        expected: Expected,
        scanner: RedisScanner,
        archive: Archive,
        listed: Sequence[str],
        tables: Workspace,
        *,
        warehouse: Warehouse | None = None,
        exclusions: Sequence[Exclusion] = (),
        settings: CompareSettings | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rules, self._packed = rules, WorkerRules.of(rules)
        self._expected, self._scanner, self._archive = expected, scanner, archive
        self._listed, self._tables, self._warehouse = tuple(listed), tables, warehouse
        self._exclusions, self._settings, self._sleep = exclusions, settings or CompareSettings(), sleep

    def run(self) -> Reconciliation:
        """Compare. ``EpochChangedError`` if the epoch was replaced meanwhile."""
        began_s = time.monotonic()
        stored = self._tables.within("index")
        read = write_index(self._scanner, stored)
        found = Reconciliation(
            self._rules.domain, read.before, read.after, read.records, read.round_trips, self._tables
        )
        index = live_index(self._packed, stored)
        first = self._tables.write("first", self._differences("warehouse", index, found))
        if not first.isEmpty():
            self._look_again(first, index, found)
        else:
            self._tables.write("drift", first)
        self._summarise(found)
        found.seconds = time.monotonic() - began_s
        return found

    def _look_again(self, first: DataFrame, index: LiveIndex, found: Reconciliation) -> None:
        scanned = index.records.select("ref", "keys").cache()
        moved = self._moved("moved")
        touched = touched_records(self._rules, moved, scanned, self._expected.links, index)
        suspects = self._tables.write("suspects", _untouched(first, touched))
        found.touched = first.count() - suspects.count()
        self._scanner.refresh()
        if self._scanner.epoch != found.before.epoch:
            raise EpochChangedError(f"epoch {found.before.epoch} was replaced while it was compared; compare again")
        again = self._tables.within("again")
        asked = self._tables.write("asked", _around(suspects, index, self._expected.links))
        portions = chain(_portions(suspects), _ref_portions(asked))
        write_again(self._scanner, portions, self._rules, again)
        if not suspects.isEmpty():
            self._sleep(self._settings.settle_s)
        live = live_index(self._packed, again)
        second = self._tables.write("second", self._differences("warehouse-again", live, found, suspects))
        moved = self._moved("moved-again")
        found.moved = moved.count()
        touched = touched_records(self._rules, moved, scanned, self._expected.links, live, asked)
        drift = self._tables.write("drift", _untouched(second, touched))
        found.settled = suspects.count() - second.select(*KEY).distinct().count()
        found.touched += second.count() - drift.count()

    def _differences(
        self, warehouse: str, index: LiveIndex, found: Reconciliation, only: DataFrame | None = None
    ) -> DataFrame:
        of_index = None if only is None else only.where("side = 'index'")
        differences = index_differences(self._expected, index, of_index)
        if self._warehouse is None:
            return differences
        tables = self._tables.within(warehouse)
        found.warehouse = write_warehouse(self._warehouse, self._rules.domain, tables).position
        found.warehouse_behind = found.warehouse < (found.before.epoch, found.before.sequence)
        if only is not None and found.warehouse_behind:
            return differences
        of_warehouse = None if only is None else only.where("side = 'warehouse'")
        live = live_warehouse(tables)
        return differences.unionByName(warehouse_differences(self._packed, self._expected, live, of_warehouse))

    def _moved(self, name: str) -> DataFrame:
        """Return the records that what is archived by now has moved: all that was not listed for F is read."""
        later = self._tables.within(name)
        write_later_states(self._archive, self._rules, set(self._listed), self._exclusions, later)
        return self._tables.write(f"{name}-records", moved_records(self._packed, self._expected.records, later))

    def _summarise(self, found: Reconciliation) -> None:
        drift = self._tables.read("drift")
        found.drift = {row["kind"]: int(row["count"]) for row in drift.groupBy("kind").count().collect()}
        numbered = drift.selectExpr(*COLUMNS, "row_number() OVER (PARTITION BY kind ORDER BY first, second) AS place")
        for row in numbered.where(f"place <= {self._settings.samples}").orderBy("kind", "place").toLocalIterator():
            refs = tuple(sorted(row["refs"])[:5])
            found.samples.append(Sample(row["side"], row["kind"], row["item"], row["first"], row["second"], refs))


def _untouched(differences: DataFrame, touched: DataFrame) -> DataFrame:
    """Return the differences none of whose records is touched."""
    named = differences.selectExpr(*KEY, "explode(refs) AS ref").join(touched, "ref", "left_semi")
    keys = named.select(*KEY).distinct()
    same = " AND ".join(f"d.{name} <=> t.{name}" for name in KEY)
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    return differences.alias("d").join(keys.alias("t"), F.expr(same), "left_anti")


def _around(suspects: DataFrame, index: LiveIndex, links: DataFrame) -> DataFrame:
    """Return the records that suspects are about, with the components that they were in, and whom F links to these."""
    refs = suspects.selectExpr("explode(refs) AS ref").distinct()
    components = index.members.join(refs, "ref", "left_semi").select("component_id").distinct()
    refs = refs.unionByName(index.members.join(components, "component_id", "left_semi").select("ref")).distinct()
    beside = both_ways(links).join(refs.withColumnRenamed("ref", "b"), "b", "left_semi").selectExpr("a AS ref")
    return refs.unionByName(beside).distinct()


def _ref_portions(refs: DataFrame) -> Iterator[Around]:
    rows = refs.toLocalIterator()
    while portion := [row["ref"] for row in islice(rows, _SUSPECTS_PER_READ)]:
        yield Around(portion)


def _portions(suspects: DataFrame) -> Iterator[Around]:
    """Yield what is to be read again, a portion at a time."""
    refs: set[str] = set()
    golden_ids: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    number = 0
    for number, row in enumerate(suspects.toLocalIterator(), start=1):
        refs.update(row["refs"])
        if row["item"] == "golden":
            golden_ids.add(row["first"])
        elif row["item"] == "review":
            pairs.add((row["first"], row["second"]))
        if number % _SUSPECTS_PER_READ == 0:
            yield Around(refs, golden_ids, pairs)
            refs, golden_ids, pairs = set(), set(), set()
    if number % _SUSPECTS_PER_READ:
        yield Around(refs, golden_ids, pairs)
