"""How the review queue grows where records pile up, and what one more event then writes.

    python benchmarks/review_growth.py [--json]

Two cases on a Redis server of its own: equal records that ``max_cluster_size`` keeps in several golden records, and
equal records with a few SEPARATE verdicts among them. After all of them have arrived, one more equal record comes by
itself: its commit's bytes are counted as they are sent to Redis. Prints a line a case, or with ``--json`` one document.

To measure another commit in the same way, name its tree: ``PYTHONPATH=TREE python benchmarks/review_growth.py``. What
is measured is found by its name in whatever module defines it, since modules move between commits.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mdm_stream

RULES = "extends: person\nversion: 1\nblocking:\n  max_block_size: 1000\nlimits:\n  max_cluster_size: {cap}\n"
PERSON = {"given_name": "Ann", "family_name": "Okonkwo", "birth_date": "1980-01-02", "email": ["ann@example.org"]}
SEPARATED = (("crm/0001", "crm/0002"), ("crm/0003", "crm/0004"), ("crm/0005", "crm/0006"))


@dataclass(frozen=True, slots=True)
class Growth:
    """What one case came to."""

    case: str
    records: int
    golden_records: int
    review_items: int
    bytes_for_one_more_event: int
    bytes_of_the_largest_component: int


def main() -> None:
    """Measure both cases and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    found = review_growth()
    if options.as_json:
        print(json.dumps([asdict(growth) for growth in found]))
        return
    print(f"mdm_stream of {Path(mdm_stream.__file__).parent}")
    for growth in found:
        print(
            f"{growth.case}: {growth.golden_records:,} golden records, {growth.review_items:,} review items; one more "
            f"event writes {growth.bytes_for_one_more_event:,} bytes "
            f"(stored component: {growth.bytes_of_the_largest_component:,})"
        )


def review_growth() -> list[Growth]:
    """Measure both cases on a Redis server that is started for it."""
    with named("RedisServer")() as server:
        return [
            grown(server, "200 equal records at cap 50", records=200, cap=50, separated=()),
            grown(server, "40 equal records, 3 SEPARATE verdicts", records=40, cap=200, separated=SEPARATED),
        ]


def grown(server: Any, case: str, *, records: int, cap: int, separated: tuple[tuple[str, str], ...]) -> Growth:
    """Deliver equal records and verdicts, and then one more record."""
    import redis  # noqa: PLC0415 - after the server's own message where it is not installed

    client = redis.Redis.from_url(server.url)
    client.flushall()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yaml"
        path.write_text(RULES.format(cap=cap), "utf-8")
        rules = named("load_ruleset")(path)
    index = named("RedisIndex")(client, rules)
    engine = named("Engine")(rules, index)
    verdict = named("VerdictEvent")
    events = [_record(number) for number in range(1, records + 1)]
    events += [verdict("person", a, b, "separate", 1, 0, "steward-1") for a, b in separated]
    for start in range(0, len(events), 50):
        assert not engine.process(events[start : start + 50]).failed
    engine.drain()
    before = index.counters.bytes_written
    assert not engine.process([_record(records + 1)]).failed
    written = index.counters.bytes_written - before
    state = index.snapshot()
    sizes = [
        len(stored) for name in ("comp", "page") for key in client.keys(f"*:{name}") for stored in client.hvals(key)
    ]
    return Growth(case, records + 1, len(state.golden), len(state.review), written, max(sizes))


def named(name: str) -> Any:
    """Return the class or function of ``mdm_stream`` with a name, wherever it is defined."""
    root = Path(mdm_stream.__file__).parent
    defined = re.compile(rf"^(?:class|def) {name}\b", re.MULTILINE)
    for path in sorted(root.rglob("*.py")):
        if defined.search(path.read_text("utf-8")):
            module = ".".join(path.relative_to(root.parent).with_suffix("").parts)
            return getattr(importlib.import_module(module), name)
    raise LookupError(f"{root} defines no {name}")


def _record(number: int) -> Any:
    return named("RecordEvent")("person", "crm", f"{number:04}", "upsert", 1, number, PERSON)


if __name__ == "__main__":
    main()
