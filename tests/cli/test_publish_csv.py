"""CSV files that are published or replayed: judged by the rules before anything of them is used."""

import io
import os

import orjson
import pytest

from mdm_stream.cli.main import run
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.errors import RejectedEventError
from mdm_stream.rules import load_rulesets

RULES = """\
extends: person
version: 1
sources:
  desk:
    format: csv
    key: customer_no
    event_time: changed
    event_time_format: "%d.%m.%Y %H:%M"
    deletion: {column: state, values: [deleted]}
    attributes: {given_name: first, family_name: last, city: town}
  erp: {format: csv}
"""
HEADER = "customer_no;first;last;town;changed;state\n"
AS_OF = "2026-03-01T00:00:00Z"
AS_OF_NS = 1_772_323_200_000_000_000


@pytest.fixture
def rules(tmp_path):
    """The rule set's file."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


@pytest.fixture
def publish(server, request, rules):
    """A function that publishes to a stream of its own; it returns the exit code."""
    name = f"rows-{abs(hash(request.node.name))}"
    server.client().create_stream(StreamName=name, ShardCount=1)
    place = ["--stream", name, "--endpoint", server.endpoint_url, "--rules", str(rules)]

    def run_publish(*argv):
        return run(["publish", *map(str, argv), *place])

    run_publish.sent = lambda: sent_to(server, name)
    return run_publish


def sent_to(server, stream):
    """The bytes of every record of a stream of one shard, in order."""
    client = server.client()
    (shard,) = client.list_shards(StreamName=stream)["Shards"]
    position = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    iterator, found = client.get_shard_iterator(**position)["ShardIterator"], []
    while page := (answer := client.get_records(ShardIterator=iterator))["Records"]:
        found += [record["Data"] for record in page]
        iterator = answer["NextShardIterator"]
    return found


def written(tmp_path, text, name="desk.csv", encoding="utf-8"):
    """A file."""
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def test_rows_become_events_of_their_load(publish, tmp_path):
    """Version (load, row), a declared form of time, and a deletion flag; a row without a time is of the load's."""
    path = written(tmp_path, HEADER + "1;Jörg;Doe;Bonn;01.02.2026 10:00;\n2;Bo;;;;Deleted\n", encoding="cp1252")
    assert publish(path, "--source", "desk", "--as-of", AS_OF) == 0
    first, second = (orjson.loads(raw) for raw in publish.sent())
    assert first["version"] == AS_OF_NS + 1
    assert (first["op"], first["event_time"][:16]) == ("upsert", "2026-02-01T10:00")
    assert first["attributes"] == {"first": "Jörg", "last": "Doe", "town": "Bonn"}
    assert (second["op"], second["version"], second["event_time"][:10]) == ("delete", AS_OF_NS + 2, "2026-03-01")


def test_a_file_has_the_time_of_its_last_writing(publish, tmp_path):
    """Without --as-of the file says when it was exported: publishing it again sends the same versions."""
    path = written(tmp_path, HEADER + "1;A;B;C;;\n")
    os.utime(path, ns=(0, AS_OF_NS))
    assert publish(path, "--source", "desk") == 0
    assert publish(path, "--source", "desk") == 0
    first, again = publish.sent()
    assert first == again
    assert orjson.loads(first)["version"] == AS_OF_NS + 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("customer_nr;first;last;town;changed;state\n1;A;B;C;;\n", "needs column customer_no (near: customer_nr)"),
        ("customer_no;first;last;town\n1;A;B;C\n", "needs columns changed, state, and the file has not"),
        ("a\n1\n", "needs columns customer_no, changed, state"),
        (HEADER.replace("first", "last"), "names a column twice"),
        ("", "the file is empty"),
        (HEADER + "1;A;B\n2;A;B\n3;A;B;C;;\n", "2 of 3 rows cannot be read, and at most 50% may"),
        ("PK\x03\x04", "workbook"),
    ],
)
def test_a_file_that_is_not_what_the_rules_are_about_is_refused_whole(publish, tmp_path, capsys, text, said):
    """Exit code 1, a sentence with the columns by name, and nothing is sent."""
    assert publish(written(tmp_path, text), "--source", "desk") == 1
    err = capsys.readouterr().err
    assert said in err
    assert "nothing was sent" in err
    assert publish.sent() == []


def test_columns_that_no_rule_knows_or_that_are_missing_are_told(publish, tmp_path, capsys):
    """The file is used, and what is left out is named with the nearest name, before anything is sent."""
    text = HEADER.replace("town", "towm").strip() + ";fax\n1;A;B;C;;;1\n"
    assert publish(written(tmp_path, text), "--source", "desk", "--dry-run") == 0
    err = capsys.readouterr().err
    assert "column town (near: towm) in its rules: empty in every record" in err
    assert "columns towm (near: town), fax of the file" in err
    assert publish.sent() == []


def test_a_file_without_any_attribute_is_refused(publish, tmp_path, capsys):
    """A source whose rules name no columns takes those of the attributes' names; a file of none says nothing."""
    assert publish(written(tmp_path, "record_id,vorname\n1,Ada\n"), "--source", "erp") == 1
    assert "no value of source erp" in capsys.readouterr().err


def test_the_top_reasons_are_told_with_file_and_line(publish, tmp_path, capsys):
    """People see why rows fail and where the first of them is; no value of a row is repeated."""
    text = HEADER + "1;A;B;C;Secret;\n2;A;B;C;;\n3;A;B;C;Secret;\n;A;B;C;;\n"
    assert publish(written(tmp_path, text), "--source", "desk", "--max-rejected", "0.1", "--json") == 1
    out, err = capsys.readouterr()
    assert "2 rows rejected as wrong_format, first in desk.csv:2: event_time" in err
    assert "1 rows rejected as missing, first in desk.csv:5" in err
    assert "Secret" not in err + out
    (file,) = orjson.loads(out)["files"]
    assert [(each["code"], each["rows"], each["line"]) for each in file["reasons"]] == [
        ("wrong_format", 2, 2),
        ("missing", 1, 5),
    ]


def test_rejected_rows_go_to_the_quarantine_with_all_that_says_why(publish, tmp_path, rules, capsys):
    """The consumer rejects such a row for the file's own reason, and accepts it under mended rules."""
    text = HEADER + "1;A;B;C;2026-02-01;\n2;A;B;C;;\n3;A;B;C;;\n4;J\xf6rg;B\n"
    path = written(tmp_path, text, encoding="latin-1")
    assert publish(path, "--source", "desk", "--as-of", AS_OF, "--max-rejected", "0.5") == 0
    sent = [raw for raw in publish.sent() if b"csv_row" in raw]
    decoder = Decoder(load_rulesets([str(rules)]))
    codes = []
    for raw in sent:
        with pytest.raises(RejectedEventError) as caught:
            decoder.decode(Delivery.unplaced(raw))
        codes.append((caught.value.reasons[0].code, orjson.loads(raw)["csv_row"]["line"]))
    assert codes == [("wrong_format", 2), ("ragged_row", 5)]
    held = orjson.loads(sent[0])["csv_row"]
    assert (held["file"], held["header"][0]) == ("desk.csv", "customer_no")
    assert held["record"] == {"domain": "person", "source": "desk", "record_id": "1"}
    rules.write_text(RULES.replace("%d.%m.%Y %H:%M", "%Y-%m-%d"))
    (event,) = Decoder(load_rulesets([str(rules)])).decode(Delivery.unplaced(sent[0]))
    assert (event.record_id, event.version) == ("1", AS_OF_NS + 1)


def test_each_file_may_have_its_source(publish, tmp_path, capsys):
    """Sources are paired with files in their order; another number of them is wrong usage."""
    desk, erp = written(tmp_path, HEADER + "1;A;B;C;;\n"), written(tmp_path, "record_id,city\n1,Ulm\n", "erp.csv")
    assert publish(desk, erp, "--source", "desk", "--source", "erp") == 0
    assert [orjson.loads(raw)["source"] for raw in publish.sent()] == ["desk", "erp"]
    assert publish(desk, erp, erp, "--source", "desk", "--source", "erp") == 2
    assert "3 files and 2 times --source" in capsys.readouterr().err


def test_one_bad_file_holds_all_back(publish, tmp_path):
    """Files that are published together are checked together."""
    good, bad = written(tmp_path, HEADER + "1;A;B;C;;\n"), written(tmp_path, "a\n1\n", "bad.csv")
    assert publish(good, bad, "--source", "desk") == 1
    assert publish.sent() == []


def test_standard_input_is_checked_too(publish, monkeypatch, tmp_path):
    """What is piped in is read whole before anything of it is sent."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(HEADER.encode() + b"1;A;B;C;;\n")))
    assert publish("-", "--format", "csv", "--source", "desk", "--as-of", "2026-03-01") == 0
    assert [orjson.loads(raw)["version"] for raw in publish.sent()] == [AS_OF_NS + 1]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\n1\n")))
    assert publish("-", "--format", "csv", "--source", "desk") == 1


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["--as-of", "soon"], 2, "--as-of is no time"),
        (["--as-of", "2090-01-01"], 1, "which is to come"),
        (["--full"], 2, "needs --redis"),
        (["--full", "--redis", "redis://127.0.0.1:1/0"], 1, "nothing was sent: --full asks the index"),
        (["--full", "--redis", "127.0.0.1"], 2, "--redis is no address"),
    ],
)
def test_times_and_indexes_that_cannot_be_are_told(publish, tmp_path, capsys, argv, code, said):
    """A load of the future would be refused row by row; a full load needs to know what there is."""
    assert publish(written(tmp_path, HEADER + "1;A;B;C;;\n"), "--source", "desk", *argv) == code
    assert said in capsys.readouterr().err
    assert publish.sent() == []


@pytest.mark.one_redis
def test_a_full_load_into_a_domain_without_an_index_says_what_to_do(publish, tmp_path, capsys, redis_url):
    """Before the files are read, with --force too: what there is to delete is not known."""
    for forced in ((), ("--force",), ("--dry-run",)):
        argv = ("--source", "desk", "--full", "--redis", redis_url, "--namespace", "nobody-writes-here", *forced)
        assert publish(written(tmp_path, "a\n1\n"), *argv) == 1
        said = " ".join(capsys.readouterr().err.split())
        assert "nothing was sent: --full asks the index which records a source has" in said
        assert "send the first load of a new domain without --full" in said
    assert publish.sent() == []


def test_a_dry_run_needs_no_stack(tmp_path, rules, capsys):
    """It reads the files by the rules, says what would be sent, and sends nothing."""
    path = written(tmp_path, HEADER + "1;A;B;C;;\n2;A\n")
    argv = ["publish", str(path), "--source", "desk", "--rules", str(rules), "--dry-run", "--json"]
    assert run(argv) == 0
    found = orjson.loads(capsys.readouterr().out)
    assert (found["sent"], found["unreadable"], found["dry_run"]) == (2, 1, True)
    assert found["files"][0]["dialect"] == "utf-8, separated by semicolons"


def test_replay_refuses_and_reports_likewise(tmp_path, rules, capsys):
    """The same check stands before a replay; a rejected row keeps its line and header in the results."""
    out = tmp_path / "out"
    argv = ["replay", str(written(tmp_path, "a\n1\n")), "--source", "desk", "--rules", str(rules), "--out", str(out)]
    assert run(argv) == 1
    assert "needs columns customer_no" in capsys.readouterr().err
    assert not out.exists()
    argv[1] = str(written(tmp_path, HEADER + "1;A;B;C;;\n2;A\n"))
    assert run([*argv, "--dry-run", "--json"]) == 0
    assert not out.exists()
    assert run([*argv, "--as-of", AS_OF, "--json"]) == 0
    (entry,) = [orjson.loads(line) for line in (out / "quarantine.jsonl").read_bytes().splitlines()]
    assert (entry["received_from"], entry["line"], entry["header"][0]) == ("desk.csv", 3, "customer_no")
    assert entry["reasons"][0]["code"] == "ragged_row"
