"""An index, an archive and a DuckDB warehouse, written as the consumers do, and eleven ways to damage what is live."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import orjson
from evidence_world import publishing
from expected_tables import write_expected
from small_world import small_rules

from mdm_stream.archive import Archive, ArchivedRecord, open_archive
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.core.model import ChangeEvent, EraseEvent, OverrideEvent, RecordEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.reference import Resolution, fold_events
from mdm_stream.decode import Delivery
from mdm_stream.engine.batch import Engine
from mdm_stream.feed.publisher import publish_outbox
from mdm_stream.index.redis.codec import encode_record
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.index.redis.pages import component_of, encode_page, pages_of
from mdm_stream.index.redis.scan import open_scanner
from mdm_stream.reconcile.compare import Compare, CompareSettings, Reconciliation
from mdm_stream.reconcile.expected import Expected
from mdm_stream.reconcile.repair import Repair, RepairReport
from mdm_stream.reconcile.workspace import Workspace
from mdm_stream.warehouse import DuckDbWarehouse, WarehouseConsumer

RULES = publishing(small_rules(max_block_size=6))
ERASED = "crm/90"


def person(source: str, record_id: str, version: int = 1, **values: object) -> RecordEvent:
    """Return an upsert."""
    return RecordEvent("person", source, record_id, "upsert", version, version * 1_000_000, values)


NAMES = (
    *("Lee", "Kimber", "Roth", "Alvarez", "Quist", "Young", "Tanaka", "Moss", "Dunn", "Ferry"),
    *("Baker", "Cole", "Evans", "Grant", "Hayes", "Ibsen", "Jones", "Nash", "Owens", "Park"),
)
"""No two sound alike."""


def family(number: int, version: int = 1, email: int | None = None) -> list[ChangeEvent]:
    """Return two records that are one person, and one that is in doubt; they share no key with another family's,
    unless ``email`` is that of one.
    """
    name, birth = NAMES[number], f"19{50 + number}-01-{1 + number % 28:02}"
    mail = f"p{number if email is None else email}@x.org"
    whole = {"given_name": "Ann", "family_name": name, "birth_date": birth, "email": (mail,)}
    return [
        person("crm", f"{number}", version, **whole),
        person("erp", f"{number}", version + 1, **whole),
        person("web", f"{number}", version, given_name="Bob", family_name=name, birth_date=birth),
    ]


def people(count: int, first: int = 0) -> list[ChangeEvent]:
    """Return so many families."""
    return [event for number in range(first, first + count) for event in family(number)]


def rows_of(events: Sequence[ChangeEvent], first: int) -> list[ArchivedRecord]:
    """Return events as the resolve consumer archives them, from a position on."""
    kinds = {EraseEvent: "erase", OverrideEvent: "override", RecordEvent: "record"}
    return [
        ArchivedRecord(
            "person", event.refs, f"{n:064d}", n, f"changes/{n}", encode_event(event), kinds.get(type(event), "verdict")
        )
        for n, event in enumerate(events, start=first)
    ]


class ReconcileWorld:
    """One domain, live. ``spark`` is the caller's session."""

    def __init__(self, spark, client, tmp_path: Path) -> None:
        self.spark, self.client, self.folder = spark, client, tmp_path
        self.archive: Archive = open_archive((tmp_path / "archive").as_uri())
        self.index = RedisIndex(client, RULES)
        self.warehouse = DuckDbWarehouse(tmp_path / "warehouse.duckdb")
        self.events: list[ChangeEvent] = []
        self._listing = threading.Lock()

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Take messages of the feed into the warehouse, as a publisher."""
        consumer = WarehouseConsumer(self.warehouse, idle_close_s=float("inf"))
        outcome = consumer.apply_records([Delivery.unplaced(message) for _, message in messages])
        assert outcome.error is None

    def deliver(self, events: Sequence[ChangeEvent], pause_s: float = 0.0) -> None:
        """Apply, archive and publish, with a pause between the first and the second."""
        engine = Engine(RULES, self.index, sleep=lambda _: None)
        assert engine.process(events).failed == []
        time.sleep(pause_s)
        with self._listing:
            self.archive.append("person", rows_of(events, len(self.events)), self.index.position())
            self.events += events
        engine.drain()
        publish_outbox(self.index, self)

    @contextmanager
    def writing(self, first: int, families: int) -> Iterator[None]:
        """Let a thread change some families all the time, who share addresses now and then, or are deleted."""
        stopped, chance, failed = threading.Event(), random.Random(1), list[BaseException]()

        def write() -> None:
            version = 100
            while not stopped.is_set():
                version += 10
                number = chance.randrange(first, first + families)
                events = family(number, version, chance.randrange(first, first + families))
                if chance.random() < 0.2:
                    events.append(RecordEvent("person", "web", f"{number}", "delete", version + 1, version, {}))
                try:
                    self.deliver(events, 0.02)
                except BaseException as error:
                    failed.append(error)
                    raise

        thread = threading.Thread(target=write)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()
        assert not failed

    def listed(self) -> list[str]:
        """Return what the archive holds now."""
        return [each.name for each in self.archive.objects("person")]

    def expect(self) -> tuple[Expected, Resolution, list[str]]:
        """Write and return F's tables of what is archived by now, F, and the names of the archive's objects."""
        with self._listing:
            events, listed = list(self.events), self.listed()
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        resolved = write_expected(RULES, fold_events(events), folder)
        read = self.spark.read.parquet
        names = ("records", "links", "crosswalk", "golden", "review")
        return Expected(*(read(str(folder / name)) for name in names)), resolved, listed

    def compare(self, expected: Expected, listed: Sequence[str], sleep=lambda _: None) -> Reconciliation:
        """Compare with F."""
        return Compare(
            RULES,
            expected,
            open_scanner(self.client, RULES),
            self.archive,
            listed,
            Workspace(self.spark, tempfile.mkdtemp(dir=self.folder)),
            warehouse=self.warehouse,
            settings=CompareSettings(settle_s=1.0, samples=3),
            sleep=sleep,
        ).run()

    def repair(self, found: Reconciliation, expected: Expected, listed: Sequence[str]) -> RepairReport:
        """Repair what was found, and let the warehouse hear of it."""
        return Repair(RULES, expected, self.index, self.archive, listed, golden=self).run(found)

    def key(self, name: str) -> str:
        """Return the name of a key of the live epoch."""
        return self.index._epoch.key(name)

    def write(self, sql: str, *parameters: object) -> None:
        """Change the warehouse behind its consumer's back."""
        self.warehouse._run(lambda session: session.execute(sql, parameters, step="damage"))

    def golden_id(self, ref: str) -> str:
        """Return where the index has a record."""
        return self.index.golden_of([ref])[ref]

    def damage(self, how: str) -> None:
        """Damage what is live in one of these ways, each at another family."""
        getattr(self, how)()

    def lost_record(self) -> None:
        """A record is gone, with all that leads to it."""
        for name in ("rec", "of", "xw"):
            self.client.hdel(self.key(name), "crm/0")

    def stale_golden(self) -> None:
        """A golden record has an old value."""
        content = orjson.loads(self.client.hget(self.key("gold"), self.golden_id("crm/1")))
        content["values"]["given_name"] = "Old"
        self.client.hset(self.key("gold"), self.golden_id("crm/1"), orjson.dumps(content, option=orjson.OPT_SORT_KEYS))

    def wrong_member(self) -> None:
        """A record is in another person's golden record."""
        self.client.hset(self.key("xw"), "erp/2", self.golden_id("crm/3"))

    def missing_link(self) -> None:
        """A component has lost the link that holds it together, though it says the same of itself."""
        component_id = self.client.hget(self.key("of"), "crm/4").decode()
        held = self.index.read_neighbourhood(["crm/4"]).components[component_id]
        (page,) = pages_of(replace(held, links=()))
        self.client.hset(self.key("comp"), component_id, held.stamp.encode() + encode_page(page))
        assert component_of(held.stamp, [page]).links == ()

    def wrong_id(self) -> None:
        """A golden record is under an id that its anchor does not give."""
        right, wrong = self.golden_id("crm/5"), golden_id_of("person", "erp/5")
        content = self.client.hget(self.key("gold"), right).replace(right.encode(), wrong.encode())
        self.client.hdel(self.key("gold"), right)
        self.client.hset(self.key("gold"), wrong, content)
        for ref in ("crm/5", "erp/5"):
            self.client.hset(self.key("xw"), ref, wrong)

    def dangling_redirect(self) -> None:
        """An id that was retired has lost the record that it leads by; those of other families are left alone."""
        self.write(
            "UPDATE golden_record SET anchor_record_id = 'nobody' WHERE status = 'retired' AND golden_id = ?",
            golden_id_of("person", "web/merging"),
        )

    def lost_review(self) -> None:
        """A question has left the queue without an answer."""
        pairs = sorted(self.client.hkeys(self.key("review")))
        self.client.hdel(self.key("review"), next(pair for pair in pairs if b"/6" in pair))

    def warehouse_ghost_golden(self) -> None:
        """The warehouse has a person that never was."""
        self.write(
            "INSERT INTO golden_record SELECT * REPLACE ('g' || repeat('0', 24) AS golden_id, NULL AS anchor_source) "
            "FROM golden_record WHERE golden_id = ?", self.golden_id("crm/7"),
        )  # fmt: skip

    def stale_crosswalk(self) -> None:
        """The warehouse has a record where it was before, and one that is not any more."""
        self.write(
            "UPDATE crosswalk SET golden_id = ? WHERE source = 'erp' AND record_id = '8'", self.golden_id("web/8")
        )
        self.write(
            "INSERT INTO crosswalk SELECT * REPLACE ('gone' AS record_id) FROM crosswalk "
            "WHERE source = 'erp' AND record_id = '8'"
        )

    def lost_evidence(self) -> None:
        """The warehouse has lost a question, and what was said of a link."""
        self.write("DELETE FROM evidence_history WHERE kind = 'review' AND '4' IN (record_id, other_record_id)")
        self.write("DELETE FROM evidence_history WHERE kind = 'match' AND '4' IN (record_id, other_record_id)")

    def erased_value(self) -> None:
        """Index and warehouse have a value of an erased record again."""
        before = fold_events(event for event in self.events if not isinstance(event, EraseEvent))[ERASED]
        record = build_record(RULES, ERASED, before)
        self.client.hset(self.key("rec"), ERASED, encode_record(record))
        origin = {
            "source": "crm",
            "record_id": ERASED.partition("/")[2],
            "version": 1,
            "event_time": "x",
            "strategy": "y",
        }
        self.write(
            "UPDATE golden_record SET golden_values = ?, provenance = ? WHERE golden_id = ?",
            '{"given_name":"Erased"}', orjson.dumps({"given_name": [origin]}).decode(), self.golden_id("crm/9"),
        )  # fmt: skip


NAMED = {
    "lost_record": {"lost_record"},
    "stale_golden": {"stale_golden"},
    "wrong_member": {"wrong_member"},
    "missing_link": {"missing_link"},
    "wrong_id": {"wrong_id"},
    "dangling_redirect": {"dangling_redirect"},
    "lost_review": {"lost_review"},
    "warehouse_ghost_golden": {"warehouse_ghost_golden"},
    "stale_crosswalk": {"stale_crosswalk"},
    "lost_evidence": {"stale_evidence"},
    "erased_value": {"erased_value", "warehouse_erased_value"},
}
"""Ways of damage, and the kinds of drift that a report has to name for each."""


def history() -> list[list[ChangeEvent]]:
    """Return what happened: ten families, one of whom moved from one golden record to another, and one erased."""
    apart = person("web", "merging", 1, given_name="Zed", family_name="Elsewhere", birth_date="1933-03-03")
    joined = person(
        "web", "merging", 2, given_name="Ann", family_name="Lee", birth_date="1950-01-01", email=("p0@x.org",)
    )
    erased = person("crm", ERASED.partition("/")[2], 1, given_name="Erased", family_name="Nobody")
    return [[*people(10), apart, erased], [joined, EraseEvent("person", ERASED, 3)]]
