"""Profiles by Spark: that their sums are those of the one-process report, their estimate near the truth, and seconds.

The population is the one of the other sections, whose archive the resolve consumer would leave. Of the public data the
true pairs are known, and with them how many blocking finds: the estimate of the profile knows nothing of them.
"""

from __future__ import annotations

import csv
import gzip
import time
from collections import defaultdict
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import duckdb
from archived_events import archive_events
from engine import DATA_DEFAULT
from histories import RULES_DEFAULT
from rebuild import deliveries
from show import Show

from mdm_stream.core.blocking.limits import block_limit
from mdm_stream.core.model import ChangeEvent, RecordEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.reference import fold_events
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder
from mdm_stream.decode.files.event_files import file_lines, line_events
from mdm_stream.errors import RejectedEventError
from mdm_stream.profile.shared import SharedReport, SharedValues
from mdm_stream.reconcile.folded_states import ArchiveAt
from mdm_stream.reconcile.profiling import Profile, profile_state, write_profile
from mdm_stream.reconcile.recompute import recompute
from mdm_stream.reconcile.session import local_session
from mdm_stream.reconcile.workspace import Workspace
from mdm_stream.rules import load_ruleset

RECORDS = 100_000
PUBLIC = ("febrl3", "febrl4")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "rules"
RECALL_OFF_MAX = 0.005
SECONDS_OF_RECOMPUTE_MAX = 1.0
BLOCK_SIZE = 25
SPOILT_EVERY = 100
SPOILS = {"email": "desk@clinic.example", "phone": "none", "birth_date": "31 February"}


def figures(show: Show, scratch: Path) -> None:
    """Profile all of them."""
    for name in PUBLIC:
        _public(show, name, scratch / name)
    _population(show, scratch / "population")


def _public(show: Show, name: str, folder: Path) -> None:
    rules = load_ruleset(EXAMPLES / f"{name}.yaml")
    lines = file_lines(DATA_DEFAULT / f"{name}.records.csv.gz")
    found = (event for _, event in line_events(lines, "csv", next(iter(rules.sources)), {rules.domain: rules}))
    events: list[ChangeEvent] = [event for event in found if not isinstance(event, RejectedEventError)]
    truth = _true_recall(rules, events, DATA_DEFAULT / f"{name}.truth.csv.gz")
    profile, _, _ = _profiled(rules, events, folder)
    estimated = profile.recall.estimated_recall or 0.0
    off = abs(estimated - truth)
    what = f"{name}: recall of blocking, estimated {estimated:.4f}, true {truth:.4f}; off by"
    show.figure(what, f"{off:.4f}", floor=f"at most {RECALL_OFF_MAX}", holds=off <= RECALL_OFF_MAX)


def _population(show: Show, folder: Path) -> None:
    plain = load_ruleset(RULES_DEFAULT)
    rules = replace(plain, digest=f"limited-{plain.digest}", max_block_size=BLOCK_SIZE)
    events = list(_events(rules, RECORDS))
    profile, recomputed_s, profiled_s = _profiled(rules, events, folder)
    show.fact("estimated recall of blocking", profile.recall)
    show.fact("recompute", f"{recomputed_s:.0f} s")
    what = f"seconds of the profile of {profile.records:,} records, of those that recomputing them takes"
    times = profiled_s / recomputed_s
    show.figure(what, f"{profiled_s:.0f} s, {times:.2f} times", floor=f"at most {SECONDS_OF_RECOMPUTE_MAX:g} times",
                holds=times <= SECONDS_OF_RECOMPUTE_MAX)  # fmt: skip
    one = SharedValues(rules)
    for event in events:
        one.add(event)  # type: ignore[arg-type]  # record events alone
    report = one.report()
    one.close()
    show.figure("live records, as one process counts", f"{profile.records:,}", floor=f"{report.records:,}",
                holds=profile.records == report.records > 0)  # fmt: skip
    places = _differences(report, folder / "profile")
    show.figure("shared values, suspended keys and reasons that differ from the one-process report", len(places),
                floor="0", holds=not places and all((report.attributes, report.reasons, report.suspended)))  # fmt: skip
    for place in places[:5]:
        show.fact("differs", place)
    wrong = _sums_that_differ(folder / "profile")
    show.figure("sums of tables that DuckDB finds different", len(wrong), floor="0", holds=not wrong)
    for each in wrong:
        show.fact("differs", each)


def _events(rules: Ruleset, records: int) -> list[ChangeEvent]:
    decoder, refs = Decoder({rules.domain: rules}), set()
    found: list[ChangeEvent] = []
    for delivery in deliveries(records):
        for event in decoder.decode(delivery):
            if isinstance(event, RecordEvent):
                found.append(_spoilt(rules, event) if not len(found) % SPOILT_EVERY else event)
                refs.add(event.ref)
        if len(refs) >= records:
            break
    return found


def _spoilt(rules: Ruleset, event: RecordEvent) -> RecordEvent:
    """Return a write with what people write where there is nothing to write."""
    named = rules.sources[event.source].columns
    columns = {name: (named.get(name) or (name,))[0] for name in SPOILS}
    spoils = {column: SPOILS[name] for name, column in columns.items() if column in event.attributes}
    return replace(event, attributes={**event.attributes, **spoils})


def _profiled(rules: Ruleset, events: list[ChangeEvent], folder: Path) -> tuple[Profile, float, float]:
    """Archive, recompute and profile; return the profile, and the seconds of the last two."""
    url = (folder / "archive").as_uri()
    archive_events(folder / "archive", rules, events)
    session = local_session(2, folder / "spark")
    try:
        workspace = Workspace(session, str(folder / "work"))
        began_s = time.monotonic()
        state = recompute(session, workspace, rules, ArchiveAt(url)).state
        recomputed_s = time.monotonic() - began_s
        profile = profile_state(workspace, rules, state)
        write_profile(profile, folder / "profile", {"domain": rules.domain})
        return profile, recomputed_s, time.monotonic() - began_s - recomputed_s
    finally:
        session.stop()


def _true_recall(rules: Ruleset, events: list[ChangeEvent], truth: Path) -> float:
    keys = {ref: set(build_record(rules, ref, state).keys) for ref, state in fold_events(events).items()}
    members: dict[str, int] = defaultdict(int)
    for own in keys.values():
        for key in own:
            members[key] += 1
    entities: dict[str, list[str]] = defaultdict(list)
    with gzip.open(truth, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            entities[row["entity_id"]].append(f"{row['source']}/{row['record_id']}")
    pairs = [pair for refs in entities.values() for pair in combinations(refs, 2)]
    met = sum(any(members[key] <= block_limit(rules, key) for key in keys[a] & keys[b]) for a, b in pairs)
    return met / len(pairs)


def _differences(report: SharedReport, folder: Path) -> list[str]:
    with duckdb.connect() as tables:
        shared = tables.sql(f"SELECT attribute, records FROM '{folder}/shared_values/*.parquet'").fetchall()
        suspended = tables.sql(
            f"SELECT expression, sum(suspended_keys)::BIGINT FROM '{folder}/blocks/*.parquet' GROUP BY 1"
        ).fetchall()
        reasons = tables.sql(
            f"""SELECT attribute || ': ' || reason.key, reason.value FROM (
                SELECT attribute, unnest(map_entries(reasons)) AS reason
                FROM '{folder}/attributes/*.parquet' WHERE source = '')"""
        ).fetchall()
    # The report lists the first hundred of each attribute, and says how many more there are.
    found = {name: sorted((count for each, count in shared if each == name), reverse=True) for name, _ in shared}
    places = [
        f"shared values of {group.name}"
        for group in report.attributes
        if len(found.get(group.name, ())) != group.found
        or found[group.name][: len(group.values)] != [value.records for value in group.values]
    ]
    places += [f"shared values of {name}" for name in found.keys() - {group.name for group in report.attributes}]
    keys = {group.name: group.found for group in report.suspended}
    places += [f"suspended keys of {name}" for name, count in suspended if count != keys.get(name, 0)]
    if dict(reasons) != report.reasons:
        places.append("reasons")
    return places


def _sums_that_differ(folder: Path) -> list[str]:
    """Return which sums within and between the tables do not agree."""
    checks = {
        "what records have is all of them": """SELECT count(*) FROM attributes
            WHERE present + missing + placeholders + invalid <> records""",
        "all sources are the sum of each": """SELECT count(*) FROM (
            SELECT attribute FROM attributes GROUP BY attribute HAVING
            sum(CASE WHEN source = '' THEN present ELSE -present END) <> 0
            OR sum(CASE WHEN source = '' THEN "values" ELSE -"values" END) <> 0)""",
        "term frequencies are in the values": """SELECT count(*) FROM (
            SELECT attribute, sum(records) AS n FROM terms GROUP BY attribute) AS t
            JOIN attributes AS a USING (attribute) WHERE a.source = '' AND t.n > a."values" """,
        "the most frequent term is the most shared value": """SELECT count(*) FROM (
            SELECT attribute, max(records) AS n FROM terms GROUP BY attribute) AS t
            JOIN attributes AS a USING (attribute) WHERE a.source = '' AND t.n <> a.most_shared""",
        "the largest block is the first listed": """SELECT count(*) FROM blocks AS b
            JOIN largest AS l USING (expression) WHERE l.rank = 1 AND l.records <> b.largest""",
    }
    names = {"attributes": "attributes", "terms": "term_frequencies", "blocks": "blocks", "largest": "largest_blocks"}
    with duckdb.connect() as tables:
        for view, table in names.items():
            tables.sql(f"CREATE VIEW {view} AS SELECT * FROM '{folder}/{table}/*.parquet'")
        found = {what: tables.sql(query).fetchall()[0] for what, query in checks.items()}
        rows = tables.sql("SELECT (SELECT count(*) FROM terms), (SELECT count(*) FROM largest)").fetchall()
    wrong = [what for what, row in found.items() if row != (0,)]
    return wrong if all(rows[0]) else [*wrong, "a table is empty"]
