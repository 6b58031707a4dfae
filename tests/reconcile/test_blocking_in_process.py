"""``rules blocking``: what it counts is what F does, and what it estimates is near what is known."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from itertools import combinations

import pytest
from small_world import small_rules

from mdm_stream.cli.main import run
from mdm_stream.core.blocking.limits import block_limit
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.reference import fold_events
from mdm_stream.reconcile.block_table import BlockTable, KeyBlocks, sampled_closed_pairs
from mdm_stream.reconcile.blocking_in_process import _generic, blocking_report

RULES = small_rules(max_block_size=6, refined_above=3)


def people(count: int) -> list[RecordEvent]:
    """Return records that share names, birth years and addresses, each in blocks of another size."""
    return [
        RecordEvent("person", "crm", str(number), "upsert", 1, number, {
            "given_name": ("Ann", "Bob", "Cleo", None)[number % 4],
            "family_name": ("Lee", "Kim", "Roth")[number % 3],
            "birth_date": f"19{60 + number % 7}-01-0{1 + number % 3}" if number % 5 else None,
            "email": (f"{number // 2}@x.org",) if number % 11 else ("info@x.org",),
        })
        for number in range(count)
    ]  # fmt: skip


def blocks_of(events):
    """Return the members of each key, by hand."""
    blocks: dict[str, list[int]] = {}
    for place, (ref, state) in enumerate(sorted(fold_events(events).items())):
        for key in build_record(RULES, ref, state).keys:
            blocks.setdefault(key, []).append(place)
    return blocks


@pytest.mark.parametrize("count", [0, 1, 2, 40, 90])
def test_pairs_and_blocks_are_those_of_f(count):
    """Distinct pairs of all open keys, and of each expression its keys, largest block and closed ones."""
    events = people(count)
    blocks = blocks_of(events)
    opened = {key: members for key, members in blocks.items() if len(members) <= block_limit(RULES, key)}
    report = blocking_report(RULES, events)
    assert report.records == count
    assert report.pairs == len({pair for members in opened.values() for pair in combinations(members, 2)})
    assert report.largest_open == max(map(len, opened.values()), default=0)
    for each in report.expressions:
        own = {key: members for key, members in blocks.items() if key.startswith(f"{each.tag}:")}
        assert (each.keys, each.largest) == (len(own), max(map(len, own.values()), default=0))
        assert each.suspended_keys == len(own.keys() - opened.keys())
        assert each.records == len({place for members in own.values() for place in members})


def test_a_key_counts_with_what_refines_it():
    """It is kept or removed as a whole: links that its refinements find too are links that no other key finds."""
    events = people(60)
    report = blocking_report(RULES, events)
    family, initials, email = report.whole_keys
    assert [each.expression for each in report.whole_keys] == [each.text for each in RULES.blocking[:3]]
    assert (family.expressions, initials.expressions, email.expressions) == (4, 1, 1)
    own = [each for each in report.expressions if each.expression.startswith(family.expression)]
    assert max(each.linked for each in own) <= family.linked <= sum(each.linked for each in own)
    assert family.only >= sum(each.only for each in own)
    without = replace(RULES, blocking=RULES.blocking[1:3])
    assert report.recall.linked - family.only <= blocking_report(without, events).recall.linked
    keys = [build_record(RULES, ref, state).keys for ref, state in fold_events(events).items()]
    assert sum(each.keys_a_record for each in report.whole_keys) == pytest.approx(sum(map(len, keys)) / 60)


def test_two_keys_of_the_same_records_are_two():
    """A switchboard's two addresses are both named, and both count as missing between those who have them."""
    both = ("info@x.org", "sales@x.org")
    events = [
        RecordEvent("person", "crm", str(number), "upsert", 1, number, {"family_name": "Lee", "email": both})
        for number in range(8)
    ]
    report = blocking_report(RULES, events)
    closed = [each.key for each in report.largest if each.closed and each.expression == "email"]
    tag = next(each.tag for each in RULES.blocking if each.text == "email")
    assert sorted(closed) == [f"{tag}:{address}" for address in both]
    records = [build_record(RULES, ref, state) for ref, state in sorted(fold_events(events).items())]
    table = BlockTable(RULES)
    for record in records:
        table.add(record.keys)
    generic = _generic(RULES, table.blocks(), [record.keys for record in records])
    assert generic == [frozenset(closed)] * len(records)


def test_what_closed_keys_lose_is_estimated_from_pairs_that_no_other_key_finds():
    """Few enough pairs are all looked at, with repetition; a rule set that closes nothing loses nothing."""
    lost = blocking_report(RULES, people(90)).lost
    assert 0 < lost.linked <= lost.unfound <= lost.sampled
    assert lost.estimated_links == pytest.approx(lost.linked / lost.sampled * lost.in_closed_keys)
    wide = blocking_report(small_rules(max_block_size=5_000), people(90)).lost
    assert (wide.in_closed_keys, wide.estimated_links) == (0, 0.0)


def test_a_sample_of_pairs_is_the_same_each_time_and_of_the_blocks_alone():
    """A report of the same file says the same."""
    table = BlockTable(RULES)
    for keys in (["n:a", "g:x"], ["n:a"], ["n:a"], ["g:x"]):
        table.add(keys)
    blocks = [KeyBlocks(*table.rows_of(place), 2) for place in range(len(RULES.blocking))]
    first = sampled_closed_pairs(blocks, table.records, 50)
    assert (first == sampled_closed_pairs(blocks, table.records, 50)).all()
    assert {divmod(pair, table.records) for pair in first.tolist()} == {(0, 1), (0, 2), (1, 2)}


def test_the_command_shows_it_without_a_value(tmp_path, monkeypatch, capsys):
    """A table for people and a document for machines; keys, which are values, only when they are asked for."""
    path = tmp_path / "people.csv"
    rows = [f"{n},Ann,Lee,198{n % 3}-01-01,{n % 4}@x.org" for n in range(12)]
    path.write_text("\n".join(["record_id,given_name,family_name,birth_date,email", *rows]) + "\n")

    def shown(*options: str) -> str:
        monkeypatch.setattr(sys, "argv", ["mdm-stream", "rules", "blocking", "person", str(path), *options])
        assert run() == 0
        return capsys.readouterr().out

    text = shown("--source", "crm")
    assert "candidate pairs" in text
    assert "12 live records" in text
    assert "lee" not in text
    assert "+ city" in text
    assert "keys a record" in text
    assert "no record has a key of: national_id" in text
    document = json.loads(shown("--source", "crm", "--json"))
    assert document["records"] == 12
    assert document["pairs"] > 0
    assert "key" not in document["largest"][0]
    assert "1980-01-01" in shown("--source", "crm", "--show-values")
