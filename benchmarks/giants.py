"""Golden records that are larger than a record of a Kinesis stream may be: three of them on the whole local stack.

    python benchmarks/giants.py [--state FOLDER]

Three things that sources may legally send each make a golden change of more than 1 MiB: two events of 540 kB that link;
one event of just under 1 MiB; 200 records of one person with 25 emails each. All of them go through the local stack
(Kinesis API, Redis, resolve consumer, warehouse consumer, as processes), each with events of other people right behind
it on the stream. Then one record of the first giant is erased, and the domain is rebuilt.

Printed is, for each giant, how large it is and whether feed and warehouse have it; how many batches failed (each would
have delayed what is behind it); how many rows the archive has for how many events; and what is left of the erased
record in any byte under the state folder. Ends with 1 where a giant is missing or something is left.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner

from mdm_stream.archive import open_archive
from mdm_stream.aws.read_shards import StreamReader
from mdm_stream.cli.commands.erase import erase
from mdm_stream.cli.commands.rebuild import rebuild
from mdm_stream.contracts.golden import ClaimCheck, GoldenChange, parse_message, redeem
from mdm_stream.deployment import ARCHIVE_FOLDER, WAREHOUSE_FILE, RunningStack, write_stack
from mdm_stream.feed.claims import ClaimReader
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.pipeline import RESOLVE, WAREHOUSE, start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, LocalStack
from mdm_stream.rules import load_ruleset
from mdm_stream.warehouse import DuckDbWarehouse
from producers.partition_key import partition_key_of
from producers.publisher import Publisher

RULES = """
extends: person
attributes:
  notes: {type: text, multi: true}
survivorship:
  rules:
    notes: [union]
"""

STREAM_RECORD_BYTES_MAX = 1024 * 1024
NOTE_CHARS = 60_000
LONG_NOTE_CHARS = 65_440
MEMBERS, EMAILS = 200, 25
FAMILIES = ("Abbot", "Brook", "Carter", "Dunn", "Ellis", "Frost", "Grant", "Huxley", "Ives", "Jarvis")
GIANTS = ("son", "ley", "worth")
"""Names of other people, whose events are sent right behind each giant."""

ERASED = "crm/pair-1"
SETTLE_S = 240.0
_POLL_INTERVAL_S = 0.1

Event = dict[str, Any]


@dataclass(slots=True)
class Giant:
    """One golden record that no stream record can hold, and what became of it."""

    name: str
    events: list[Event]
    refs: list[str]
    golden_id: str = ""
    members: int = 0
    bytes: int = 0
    by_claim_check: bool = False
    on_feed: bool = False
    in_warehouse: bool = False

    def arrived(self) -> bool:
        """Tell whether every reader of the feed has it whole."""
        return self.on_feed and self.in_warehouse and self.bytes > STREAM_RECORD_BYTES_MAX


@dataclass(slots=True)
class Figures:
    """What a run has shown. ``left`` are the stores and files in which something of the erased record was found."""

    giants: list[Giant] = field(default_factory=list)
    behind: int = 0
    behind_on_feed: int = 0
    failed_batches: int = 0
    events: int = 0
    archived_rows: int = 0
    erase_exit_code: int = -1
    verify_exit_code: int = -1
    told_by_rebuild: int = -1
    left: list[str] = field(default_factory=list)
    took_s: float = 0.0

    def is_right(self) -> bool:
        """Tell whether all giants have arrived, nothing was delayed or kept twice, and nothing is left."""
        return (
            all(giant.arrived() for giant in self.giants)
            and self.behind_on_feed == self.behind
            and self.failed_batches == 0
            and self.archived_rows == self.events
            and (self.erase_exit_code, self.verify_exit_code, self.left) == (0, 0, [])
            and self.told_by_rebuild == 0
        )


def files_with(state: Path, needles: Sequence[str]) -> list[str]:
    """Return the files that hold one of the texts as it is; the tests look into packed ones too."""
    wanted = [needle.encode() for needle in needles]
    files = [path for path in state.rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(state)) for path in files if any(each in path.read_bytes() for each in wanted))


NeedlesIn = Callable[[Path, Sequence[str]], list[str]]


def three_giants(state: Path, needles_in: NeedlesIn = files_with) -> Figures:
    """Live through it on a stack in ``state``; ``needles_in`` finds the files under a folder that hold a text.

    The stack is stopped at the end, and its folder left.
    """
    began_s = time.monotonic()
    figures = Figures(giants=[_pair(), _single(), _crowd()])
    state.mkdir(parents=True, exist_ok=True)
    rules_file = state.parent / f"{state.name}-rules.yaml"
    rules_file.write_text(RULES, "utf-8")
    with LocalStack(state) as stack:
        start_consumers(stack, [str(rules_file)])
        addresses = (stack.kinesis.endpoint_url, CHANGES_STREAM, GOLDEN_STREAM, stack.redis.url)
        write_stack(
            state, RunningStack(*addresses, str(state / WAREHOUSE_FILE), (str(rules_file),), stack.kinesis.keys)
        )
        index = RedisIndex(stack.redis.client(), load_ruleset(str(rules_file)))
        _publish(stack, index, figures)
        _look(stack, index, state, figures)
        _erase(state, figures)
        _rebuild(state, figures)
    figures.left += needles_in(state, _markers(figures.giants[0].events[0]))
    figures.took_s = time.monotonic() - began_s
    return figures


def _pair() -> Giant:
    """Return two events of 540 kB that link."""
    events = [_person(record_id, "Pair", notes=_notes(record_id, 9, NOTE_CHARS)) for record_id in ("pair-1", "pair-2")]
    return Giant("two linked events of 540 kB", events, ["crm/pair-1", "crm/pair-2"])


def _single() -> Giant:
    """Return one event of just under 1 MiB."""
    event = _person("single-1", "Single", notes=_notes("single-1", 16, LONG_NOTE_CHARS))
    return Giant("one event of just under 1 MiB", [event], ["crm/single-1"])


def _crowd() -> Giant:
    """Return 200 records of one person, with 25 emails each."""
    events = [
        _person(
            f"crowd-{member}",
            "Crowd",
            email=[f"somebody.{member:03d}.{number:02d}.{'x' * 40}@{'m' * 50}.example.org" for number in range(EMAILS)],
        )
        for member in range(MEMBERS)
    ]
    return Giant("200 members with 25 emails each", events, [f"crm/crowd-{member}" for member in range(MEMBERS)])


def _person(record_id: str, family_name: str, **attributes: Any) -> Event:
    names = {"given_name": "Adelgundis", "family_name": family_name, "birth_date": "1971-02-03"}
    return {
        "domain": "person",
        "source": "crm",
        "record_id": record_id,
        "op": "upsert",
        "version": 1,
        "event_time": "2026-03-01T00:00:00Z",
        "attributes": {**names, "national_id": f"{family_name}-4711", **attributes},
    }


def _notes(record_id: str, count: int, chars: int) -> list[str]:
    """Return texts that can be told from all others by their beginnings."""
    return [f"{record_id} note {number:02d} ".ljust(chars, "abcdefghij"[number % 10]) for number in range(count)]


def _markers(event: Event) -> list[str]:
    """Return what stands for the values of the erased record alone: the beginnings of its texts, and one more."""
    return [note[:40] for note in event["attributes"]["notes"]]


def _publish(stack: LocalStack, index: RedisIndex, figures: Figures) -> None:
    """Send each giant with events of others right behind it, and wait until all is done."""
    with Publisher(stack.kinesis.client("kinesis"), CHANGES_STREAM) as publisher:
        for number, giant in enumerate(figures.giants):
            behind = [
                _person(f"behind-{number}-{each}", family + GIANTS[number], birth_date=f"19{number}{each}-11-11")
                for each, family in enumerate(FAMILIES)
            ]
            for event in (*giant.events, *behind):
                publisher.put(orjson.dumps(event), partition_key_of(event))
            publisher.flush()
            figures.events += len(giant.events) + len(behind)
            figures.behind += len(behind)
    deadline_s = time.monotonic() + SETTLE_S
    stack.wait_idle(SETTLE_S)
    while (index.pending(1) or index.read(1)) and time.monotonic() < deadline_s:
        time.sleep(_POLL_INTERVAL_S)
    stack.wait_idle(SETTLE_S)


def _look(stack: LocalStack, index: RedisIndex, state: Path, figures: Figures) -> None:
    """Note what feed, warehouse, archive and the consumers' counters say."""
    time.sleep(1.0)  # the counters are written twice a second
    for name in (RESOLVE, WAREHOUSE):
        status = stack.consumer_status(name)
        figures.failed_batches += status["failed_batches"] + status["partial_batches"] + status["discarded_records"]
    newest: dict[str, tuple[GoldenChange, bool]] = {}
    for change, by_claim_check in _changes(stack):
        held = newest.get(change.golden_id)
        if held is None or (held[0].epoch, held[0].sequence) < (change.epoch, change.sequence):
            newest[change.golden_id] = change, by_claim_check
    place = index.golden_of([ref for giant in figures.giants for ref in giant.refs])
    warehouse = DuckDbWarehouse(state / WAREHOUSE_FILE, read_only=True, lock_wait_ms=60_000)
    for giant in figures.giants:
        [giant.golden_id] = {place[ref] for ref in giant.refs}
        change, giant.by_claim_check = newest[giant.golden_id]
        giant.members, giant.bytes = len(change.members), len(orjson.dumps(change.model_dump(mode="json")))
        giant.on_feed = len(change.members) == len(giant.refs)
        sql = "SELECT payload FROM golden_history WHERE golden_id = ? ORDER BY epoch DESC, sequence DESC LIMIT 1"
        rows = warehouse.query(sql, (giant.golden_id,))
        giant.in_warehouse = [GoldenChange.model_validate_json(payload) for (payload,) in rows] == [change]
    warehouse.close()
    figures.behind_on_feed = sum(
        any(key.record_id.startswith("behind-") for key in change.members) for change, _ in newest.values()
    )
    archive = open_archive((state / ARCHIVE_FOLDER).as_uri())
    figures.archived_rows = sum(1 for _ in archive.read(archive.objects("person")))


def _changes(stack: LocalStack) -> Iterator[tuple[GoldenChange, bool]]:
    """Yield every golden change on the feed, and whether it went by claim check."""
    follow = ClaimReader()
    for record in StreamReader(stack.kinesis.client("kinesis"), GOLDEN_STREAM).records():
        message = parse_message(record.data)
        by_claim_check = isinstance(message, ClaimCheck)
        envelope = redeem(message, follow) if isinstance(message, ClaimCheck) else message
        if isinstance(envelope.data, GoldenChange):
            yield envelope.data, by_claim_check


def _erase(state: Path, figures: Figures) -> None:
    """Erase a record of the first giant, and look for its values afterwards."""
    values = state.parent / f"{state.name}-values.txt"
    values.write_text("\n".join(figures.giants[0].events[0]["attributes"]["notes"]), "utf-8")
    common = [ERASED, "--state", str(state), "--json"]
    done = CliRunner().invoke(erase, [*common, "--reason", "a giant's part", "--yes"], standalone_mode=False)
    figures.erase_exit_code = 2 if done.exception is not None else done.return_value
    figures.left += [] if done.exception is None else [f"{type(done.exception).__name__}: {done.exception}"]
    done = CliRunner().invoke(erase, [*common, "--verify", "--values-file", str(values)], standalone_mode=False)
    figures.verify_exit_code = 2 if done.exception is not None else done.return_value
    if done.exception is None:
        figures.left += [f"{each['store']}: {each['what']}" for each in orjson.loads(done.stdout)["left"]]


def _rebuild(state: Path, figures: Figures) -> None:
    """Rebuild the domain: feed and warehouse are read through claim checks, and nothing differs from what they say."""
    argv = ["--state", str(state), "--grace", "0", "--workers", "1", "--json"]
    done = CliRunner().invoke(rebuild, argv, standalone_mode=False)
    if done.exception is not None:
        figures.left.append(f"{type(done.exception).__name__}: {done.exception}")
        return
    [report] = orjson.loads(done.stdout)["rebuilt"]
    figures.told_by_rebuild = report["told"]


def _print(figures: Figures) -> None:
    for giant in figures.giants:
        way = "by claim check" if giant.by_claim_check else "whole"
        feed, warehouse = ("has it" if there else "LACKS it" for there in (giant.on_feed, giant.in_warehouse))
        print(
            f"{giant.name}: {giant.bytes:,} bytes, {giant.members} members, sent {way}; "
            f"feed {feed}, warehouse {warehouse}"
        )
    print(f"events behind them: {figures.behind}, golden changes of theirs on the feed: {figures.behind_on_feed}")
    print(f"batches that failed: {figures.failed_batches}")
    print(f"events {figures.events}, rows in the archive {figures.archived_rows}")
    print(f"erase ended with {figures.erase_exit_code}, verify with {figures.verify_exit_code}; left: {figures.left}")
    print(f"a rebuild tells the feed {figures.told_by_rebuild} changes")
    print(f"took {figures.took_s:.0f} s")


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, help="an empty folder, which is kept; a temporary one if left out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mdm-giants-") as folder:
        figures = three_giants(options.state or Path(folder) / "state")
    _print(figures)
    return 0 if figures.is_right() else 1


if __name__ == "__main__":
    sys.exit(main())
