"""Canary values through every path of a running local stack, and where they are after the record was erased.

    python benchmarks/canaries.py [--json]

Each path has a word of its own, so that a find says by which way it came. They are searched for byte by byte, in forms
that are made here and not by the code that erases: in every file of the state folder (unzipped, Parquet and base64
read, freed pages of DuckDB and Redis' file as they lie there, logs and names of files too), and in Redis key by key.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner
from trees import ROOT

sys.path.insert(0, str(ROOT / "tests" / "support"))

from bytes_of_redis import keys_with_content
from bytes_of_state import unpacked
from end_state import settle
from written_forms import forms_of

from mdm_stream.cli.commands.dlq import redrive
from mdm_stream.cli.commands.erase import erase
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.deployment import ON_FAILURE_FOLDER, WAREHOUSE_FILE, RunningStack, write_stack
from mdm_stream.local.event_source.lanes import Discard
from mdm_stream.local.event_source.mapping import ShardRecord
from mdm_stream.local.event_source.on_failure import OnFailure, put_into
from mdm_stream.local.pipeline import start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, STEWARD_STREAM, LocalStack
from mdm_stream.rules import load_ruleset
from producers.publisher import Publisher

RULES_YAML = "extends: person\nversion: 1\npublish: [records, matches, reviews]\n"
"""All that the feed can carry of a record: its evidence holds values, too."""
SOURCE, RECORD_ID = "crm", "p-4711"
OTHER = "Kuckücksheim"
"""A value of somebody else: it must be there in the end, or the search finds nothing for want of looking."""
REDIS_SYNC_S = 1.5

ACCEPTED = ("good", "superseded", "patch", "override")
REJECTED = ("quarantined", "oversize", "truncated", "escaped", "escaped twice", "redriven")
PACKED = ("base64", "gzip", "gzip, truncated", "UTF-16", "Latin-1", "percent", "HTML", "CSV")
PATHS = (*ACCEPTED, *REJECTED, *PACKED, "given up", "given up, truncated")


def canary(path: str) -> str:
    """Return the word of a path: letters that nothing else has, two of which have to be escaped somewhere."""
    letters = "".join(chr(ord("a") + PATHS.index(path) // 5**place % 5) for place in range(3))
    return f"Zwö{letters}quästling"


FORMS = {path: forms_of(canary(path)) for path in PATHS}


@dataclass(slots=True)
class Canaries:
    """What came of it. ``before`` and ``after`` name the places of each path's word; ``forms`` how many were sought.

    ``quarantined`` events were rejected, ``given_up`` lay in the on-failure folder. ``others_kept``: values of another
    record are where they were.
    """

    paths: int = len(PATHS)
    forms: int = sum(map(len, FORMS.values()))
    before: dict[str, list[str]] = field(default_factory=dict)
    after: dict[str, list[str]] = field(default_factory=dict)
    quarantined: int = 0
    given_up: int = 0
    bytes_searched: int = 0
    erase_exit: int = -1
    verify_exit: int = -1
    verify_left: list[dict[str, Any]] = field(default_factory=list)
    others_kept: bool = False
    erase_s: float = 0.0

    def missing(self) -> list[str]:
        """Return the paths whose word was nowhere before: they would prove nothing."""
        return [path for path in PATHS if path not in self.before]

    def holds(self) -> bool:
        """Tell whether all was somewhere before and nothing of it is anywhere now, as the erasure says."""
        clean = not self.after and not self.verify_left and (self.erase_exit, self.verify_exit) == (0, 0)
        return clean and not self.missing() and self.others_kept


def event(op: str = "upsert", *, record_id: str = RECORD_ID, source: str = SOURCE, **members: Any) -> dict[str, Any]:
    """Return a canonical event."""
    head = {"domain": "person", "source": source, "record_id": record_id, "op": op}
    return {**head, "event_time": "2026-03-01T00:00:00Z", **members}


def good_events() -> list[bytes]:
    """Return what is accepted: old values and new ones, an override, a decision, and a record of somebody else."""
    person = {"given_name": canary("good"), "family_name": "Wintersheim", "birth_date": "1971-02-03"}
    events = [
        event(version=1, attributes={**person, "city": canary("superseded")}),
        event(version=2, attributes={**person, "email": f"{canary('good')}@example.org"}),
        event(version=3, attributes={**person, "city": "Ulm"}),
        event("patch", version=4, attributes={"phone": "+49 30 1234987", "street": canary("patch")}),
        event("override", version=1, attributes={"city": canary("override")}, steward="s-1"),
        event(version=1, source="erp", attributes={**person, "given_name": "Adelgundis", "city": OTHER}),
    ]
    pair = {"a": {"source": SOURCE, "record_id": RECORD_ID}, "b": {"source": "erp", "record_id": RECORD_ID}}
    verdict = {"domain": "person", "op": "verdict", **pair, "verdict": "link", "version": 1, "steward": "s-1"}
    return [orjson.dumps(each) for each in (*events, {**verdict, "event_time": "2026-03-01T00:00:00Z"})]


def bad_events() -> dict[str, bytes]:
    """Return what is rejected, by path: each says whose it is, or holds id and a value that is known, in some form."""

    def bad(path: str, **members: Any) -> dict[str, Any]:
        return event(version=9, attributes={"given_name": canary(path)}, surprise=1, **members)

    cut = {path: orjson.dumps(bad(path))[:-3] for path in PATHS}
    loose = {path: f"id={RECORD_ID};name={canary('good')};note={canary(path)};" for path in PATHS}
    packed = gzip.compress(cut["gzip, truncated"] + bytes(range(256)) * 40, mtime=0)
    return {
        "quarantined": orjson.dumps(bad("quarantined")),
        "oversize": orjson.dumps(bad("oversize", note="x" * 70_000)),
        "truncated": cut["truncated"],
        "escaped": json.dumps(bad("escaped"))[:-3].encode(),
        "escaped twice": json.dumps({"payload": json.dumps(loose["escaped twice"])})[:-2].encode(),
        "base64": base64.b64encode(orjson.dumps(bad("base64"))),
        "gzip": gzip.compress(orjson.dumps(bad("gzip"))),
        "gzip, truncated": packed[:-30],
        "UTF-16": json.dumps(bad("UTF-16"), ensure_ascii=False).encode("utf-16"),
        "Latin-1": json.dumps(bad("Latin-1"), ensure_ascii=False).encode("latin-1"),
        "percent": urllib.parse.quote(loose["percent"]).encode(),
        "HTML": loose["HTML"].encode("ascii", "xmlcharrefreplace"),
        "CSV": loose["CSV"].replace(";", '","').encode(),
        "redriven": cut["redriven"],
    }


def measure(state: Path) -> Canaries:
    """Live through it on a stack in a folder of its own."""
    figures = Canaries()
    rules_file = state.parent / "person.yaml"
    rules_file.write_text(RULES_YAML, "utf-8")
    rules = load_ruleset(rules_file)
    with LocalStack(state) as stack:
        start_consumers(stack, [str(rules_file)])
        addresses = (stack.kinesis.endpoint_url, CHANGES_STREAM, GOLDEN_STREAM, stack.redis.url)
        write_stack(
            state, RunningStack(*addresses, str(state / WAREHOUSE_FILE), (str(rules_file),), keys=stack.kinesis.keys)
        )
        _publish(stack, rules, good_events())
        _publish(stack, rules, list(bad_events().values()))
        _run(redrive, state, "--all", "--yes")
        settle(stack, rules)
        _give_up(state, [bad_events()["truncated"][:-9] + canary("given up, truncated").encode(), good_events()[-2]])
        _give_up(state, [orjson.dumps(event(version=8, attributes={"given_name": canary("given up")}))])
        time.sleep(REDIS_SYNC_S)
        figures.quarantined = sum(1 for path in (state / "quarantine").rglob("*.json") if path.is_file())
        figures.given_up = sum(1 for path in (state / ON_FAILURE_FOLDER).rglob("*") if path.is_file())
        figures.before, _ = _search(state, stack)
        began_s = time.monotonic()
        name = f"{SOURCE}/{RECORD_ID}"
        figures.erase_exit, receipt = _run(erase, state, name, "--reason", "a canary", "--yes", "--json")
        figures.erase_s = round(time.monotonic() - began_s, 1)
        values = state.parent / "values.txt"
        values.write_text("\n".join(map(canary, PATHS)), "utf-8")
        figures.verify_exit, verified = _run(erase, state, name, "--verify", "--values-file", str(values), "--json")
        figures.verify_left = [*orjson.loads(receipt)["left"], *orjson.loads(verified)["left"]]
        settle(stack, rules)
        time.sleep(REDIS_SYNC_S)
        figures.after, figures.bytes_searched = _search(state, stack)
        figures.others_kept = any(OTHER.encode() in piece for _, piece in _redis_pieces(stack))
    after, searched = _search(state, None)
    for path, places in after.items():
        figures.after.setdefault(path, []).extend(f"{place}, stopped" for place in places)
    figures.bytes_searched += searched
    return figures


def _publish(stack: LocalStack, rules: Ruleset, raws: list[bytes]) -> None:
    kinesis = stack.kinesis.client("kinesis")
    with Publisher(kinesis, CHANGES_STREAM) as changes, Publisher(kinesis, STEWARD_STREAM) as steward:
        for raw in raws:
            publisher = steward if b'"steward"' in raw and raw.startswith(b"{") else changes
            publisher.put(raw, f"person/{SOURCE}/{RECORD_ID}")
    settle(stack, rules)


def _give_up(state: Path, raws: list[bytes]) -> None:
    records = tuple(ShardRecord(str(n), "key", raw, 1.7e9) for n, raw in enumerate(raws, 1))
    arn = f"arn:aws:kinesis:us-east-1:123456789012:stream/{CHANGES_STREAM}"
    put = put_into(str(state / ON_FAILURE_FOLDER), lambda: None)
    OnFailure(put, function_name="resolve", stream_arn=arn).write(
        Discard(records, "RetryAttemptsExhausted", len(raws)), "shardId-000000000000", 1.7e9
    )


def _run(command: Any, state: Path, *argv: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, ["--state", str(state), *argv], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return int(done.return_value or 0), done.stdout


def _search(state: Path, stack: LocalStack | None) -> tuple[dict[str, list[str]], int]:
    """Return the places of each path's word in any form, and how many bytes were looked at."""
    found: dict[str, list[str]] = {}
    searched = 0
    for place, piece in [*_file_pieces(state), *(_redis_pieces(stack) if stack is not None else ())]:
        searched += len(piece)
        for path, forms in FORMS.items():
            if place not in found.get(path, ()) and any(form in piece for form in forms):
                found.setdefault(path, []).append(place)
    return found, searched


def _file_pieces(state: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(path for path in state.rglob("*") if path.is_file()):
        place = path.relative_to(state).parts[0]
        yield place, str(path.relative_to(state)).encode()
        for piece in unpacked(path):
            yield place, piece


def _redis_pieces(stack: LocalStack) -> Iterator[tuple[str, bytes]]:
    for key, content in keys_with_content(stack.redis.client()):
        yield "redis, live", key + b" " + content


def main() -> int:
    """Print the figures; 1 if a word is left anywhere, or was nowhere before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    as_json = parser.parse_args().json
    with tempfile.TemporaryDirectory(prefix="mdm-canaries-") as folder:
        figures = measure(Path(folder) / "state")
    if as_json:
        print(json.dumps({**asdict(figures), "holds": figures.holds()}))
    else:
        for name, value in asdict(figures).items():
            print(f"{name}: {value}")
        print("nothing is left" if figures.holds() else f"MISSED; nowhere before: {figures.missing()}")
    return 0 if figures.holds() else 1


if __name__ == "__main__":
    sys.exit(main())
