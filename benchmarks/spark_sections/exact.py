"""Public data, and a generated population with everything in it: the engine's state and that of Spark.

The archive is what the resolve consumer leaves. The engine fills an index from it, as a rebuild does; Spark reads the
same archive. The population has updates and deletes, and beside them verdicts, overrides and erasures; its rules let
blocks and clusters meet their limits. The engine's records are compared with the reference by tests.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from archived_events import archive_events
from engine import DATA_DEFAULT, DATA_VARIABLE
from histories import POPULATION_SEED, RULES_DEFAULT
from rebuild import NAMESPACE, Count, NothingPublished, deliveries
from show import Show

from mdm_stream.archive import open_archive
from mdm_stream.core.cluster.golden import digest_of_content, digest_of_item
from mdm_stream.core.model import ChangeEvent, EraseEvent, OverrideEvent, RecordEvent, VerdictEvent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder
from mdm_stream.decode.files.event_files import file_lines, line_events
from mdm_stream.errors import RejectedEventError
from mdm_stream.index.reader import review_items
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.rebuild.run import Rebuild, RebuildOptions
from mdm_stream.reconcile.folded_states import ArchiveAt
from mdm_stream.reconcile.recompute import Recomputed, recompute
from mdm_stream.reconcile.session import local_session
from mdm_stream.reconcile.workspace import Workspace
from mdm_stream.rules import load_ruleset

RECORDS = 200_000
FEBRL = ("febrl3", "febrl4")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "rules"
DIFFERENCES_SHOWN = 5

Digests = dict[str, dict[object, str]]
"""By part (crosswalk, golden, review): what each key of it has, as a digest."""


def figures(show: Show, scratch: Path) -> None:
    """Compare each of them."""
    for name in FEBRL:
        rules = load_ruleset(EXAMPLES / f"{name}.yaml")
        lines = file_lines(Path(os.environ.get(DATA_VARIABLE, DATA_DEFAULT)) / f"{name}.records.csv.gz")
        found = (event for _, event in line_events(lines, "csv", next(iter(rules.sources)), {rules.domain: rules}))
        events = [event for event in found if not isinstance(event, RejectedEventError)]
        _compare(show, name, rules, events, scratch / name)
    rules = load_ruleset(RULES_DEFAULT)
    limited = replace(rules, digest=f"limited-{rules.digest}", max_block_size=25, max_cluster_size=5)
    _compare(show, f"{RECORDS:,} generated records", limited, everything(rules, RECORDS), scratch / "population")


def everything(rules: Ruleset, records: int) -> Iterator[ChangeEvent]:
    """Yield the events of a population until they name so many records, with stewards' decisions and erasures among
    them.
    """
    chance = random.Random(POPULATION_SEED)
    decoder = Decoder({rules.domain: rules})
    refs: dict[str, None] = {}
    recent: list[str] = []
    for number, delivery in enumerate(deliveries(records), start=1):
        for event in decoder.decode(delivery):
            yield event
            if isinstance(event, RecordEvent) and event.ref not in refs:
                refs[event.ref] = None
                recent = [*recent[-200:], event.ref]
        if number % 50 == 0 and len(recent) > 1:
            yield _decision(chance, rules, recent, number)
        if len(refs) >= records:
            return


def _decision(chance: random.Random, rules: Ruleset, recent: Sequence[str], number: int) -> ChangeEvent:
    a, b = sorted(chance.sample(recent, 2))
    time_us = 1_767_225_600_000_000 + number
    dice = chance.random()
    if dice < 0.7:
        verdict = chance.choice(["link", "separate", "separate", "none"])
        return VerdictEvent(rules.domain, a, b, verdict, number, time_us, "steward-1")  # type: ignore[arg-type]
    if dice < 0.9:
        return OverrideEvent(rules.domain, a, number, time_us, "steward-1", {"city": "Overridden"})
    return EraseEvent(rules.domain, a, time_us)


def _compare(show: Show, what: str, rules: Ruleset, events: Iterable[ChangeEvent], folder: Path) -> None:
    archived = archive_events(folder / "archive", rules, events)
    engine = _by_engine(rules, folder)
    spark = _by_spark(show, rules, folder, what)
    places = [
        f"{part} {key}"
        for part, expected in engine.items()
        for key in expected.keys() | spark[part].keys()
        if expected.get(key) != spark[part].get(key)
    ]
    for place in places[:DIFFERENCES_SHOWN]:
        show.fact("differs", place)
    sizes = ", ".join(f"{len(found):,} {part}" for part, found in engine.items())
    show.figure(
        f"{what}: {archived:,} events; places that differ of {sizes}",
        len(places),
        floor="0",
        holds=not places and bool(engine["golden"]) and bool(engine["review"]),
    )


def _by_engine(rules: Ruleset, folder: Path) -> Digests:
    with RedisServer() as server, server.client() as client:
        Rebuild(
            rules,
            server.url,
            NAMESPACE,
            archive=open_archive((folder / "archive").as_uri()),
            golden=Count(),  # type: ignore[arg-type]  # all that is asked of a publisher
            published=NothingPublished(),
            options=RebuildOptions(publish_grace_s=0.0),
        ).run()
        index = RedisIndex(client, rules, NAMESPACE, create=False)
        return {
            "crosswalk": dict(index.scan_crosswalk()),
            "golden": {golden_id: digest_of_content(content) for golden_id, content in index.scan_golden()},
            "review": {pair: digest_of_item(item) for pair, item in review_items(index)},
        }


def _by_spark(show: Show, rules: Ruleset, folder: Path, what: str) -> Digests:
    session = local_session(2, folder / "spark")
    try:
        workspace = Workspace(session, str(folder / "work"))
        found: Recomputed = recompute(session, workspace, rules, ArchiveAt((folder / "archive").as_uri()))
        state = found.state
        show.fact(f"{what}, keys", f"{state.blocks.keys:,}, {state.blocks.suspended:,} of them suspended")
        golden = state.golden.select("golden_id", "content")
        return {
            "crosswalk": {row.ref: row.golden_id for row in state.crosswalk.toLocalIterator()},
            "golden": {row.golden_id: digest_of_content(bytes(row.content)) for row in golden.toLocalIterator()},
            "review": {(row.a, row.b): row.digest for row in state.review.select("a", "b", "digest").toLocalIterator()},
        }
    finally:
        session.stop()
