"""The commands show and explain, on an index that the engine has written."""

from __future__ import annotations

import os
import pwd
import re

import orjson
import pytest

from mdm_stream.cli.main import run
from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.core.model import OverrideEvent, RecordEvent, VerdictEvent
from mdm_stream.deployment import RunningStack, write_stack
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.rules import load_ruleset

pytestmark = pytest.mark.one_redis

ANN = {
    "given_name": "Ann",
    "family_name": "Okonkwo",
    "birth_date": "1980-01-02",
    "city": "Leeds",
    "email": ["ann@x.org", "ao@x.org"],
}


@pytest.fixture(scope="module")
def rules():
    """The person pack."""
    return load_ruleset("person")


@pytest.fixture(autouse=True)
def rights(monkeypatch):
    """Who runs the tests may see everything."""
    me = f"user:{pwd.getpwuid(os.geteuid()).pw_name}"
    monkeypatch.setenv("MDM_AUTHORITY", orjson.dumps({"viewers": {me: {"sensitive": "*"}}}).decode())


@pytest.fixture
def options(redis_client, redis_url, rules):
    """The options that name an index of four records: two are one person, one is kept apart, one is deleted."""
    events = [
        RecordEvent("person", "crm", "1", "upsert", 1, 0, ANN),
        RecordEvent("person", "erp", "2", "upsert", "b", 1, {**ANN, "email": None, "phone": "[bold]x"}),
        RecordEvent("person", "web", "3", "upsert", 1, 2, ANN),
        RecordEvent("person", "web", "4", "upsert", 1, 3, {"given_name": "Omar", "family_name": "Petrov"}),
        RecordEvent("person", "web", "5", "delete", 1, 3),
        VerdictEvent("person", "crm/1", "web/3", "separate", 1, 4, "steward-1"),
        VerdictEvent("person", "erp/2", "web/3", "separate", 1, 4, "steward-1"),
    ]
    engine = Engine(rules, RedisIndex(redis_client, rules))
    assert not engine.process(events).failed
    return ["--redis", redis_url, "--rules", "person"]


def called(capsys, *argv):
    """Run a command; return its exit code, stdout and stderr, white space made single."""
    code = run([str(word) for word in argv])
    out, err = capsys.readouterr()
    return code, " ".join(out.split()), " ".join(err.split())


def test_show_prints_values_with_provenance(options, capsys, monkeypatch):
    """People see the golden record, where each value comes from, and the source record's own state."""
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = called(capsys, "show", "erp/2", *options)
    assert (code, err) == (0, "")
    assert f"Golden record {golden_id_of('person', 'crm/1')} of 2: crm/1, erp/2" in out
    assert "Okonkwo" in out
    assert "Source record erp/2: live; last upsert at version b" in out
    assert "***" in out
    assert "ann@x.org" not in out
    assert "Verdict on web/3: separate, by steward-1" in out
    _, out, _ = called(capsys, "show", "erp/2", "--reveal", *options)
    assert "ann@x.org" in out
    assert "[bold]x (invalid)" in out


def test_sensitive_values_take_a_right_and_not_a_flag_alone(options, capsys, monkeypatch):
    """Without a grant --reveal is refused on an index that is not one's own; a grant may name single attributes."""
    monkeypatch.delenv("MDM_AUTHORITY")
    for argv in (("show", "erp/2"), ("explain", "crm/1", "erp/2", "--values"), ("explain", "crm/1")):
        code, out, err = called(capsys, *argv, "--reveal", *options)
        assert (code, out) == (2, "")
        assert "has no right to see sensitive values" in err
        assert called(capsys, *argv, *options)[0] == 0
    me = f"user:{pwd.getpwuid(os.geteuid()).pw_name}"
    monkeypatch.setenv("MDM_AUTHORITY", orjson.dumps({"viewers": {me: {"sensitive": ["birth_date"]}}}).decode())
    out = called(capsys, "explain", "crm/1", "erp/2", "--values", "--reveal", *options)[1]
    assert "1980-01-02" in out
    assert "ann@x.org" not in out
    monkeypatch.setenv("MDM_AUTHORITY", orjson.dumps({"viewers": {me: {"values": False}}}).decode())
    assert "Okonkwo" not in called(capsys, "show", "erp/2", *options)[1]


def test_show_speaks_json(options, capsys):
    """--json is one document; a deleted record has no golden record."""
    assert run(["show", "crm/1", "--json", *options]) == 0
    assert orjson.loads(capsys.readouterr().out)["golden"]["values"]["city"] == "Leeds"
    assert run(["show", "web/5", "--json", *options]) == 0
    assert orjson.loads(capsys.readouterr().out)["golden"] is None
    assert "deleted, and in no golden record" in called(capsys, "show", "web/5", *options)[1]


def test_show_follows_a_merged_golden_id(options, capsys):
    """An id that is not live any more is said to be so, and leads on."""
    moved = golden_id_of("person", "erp/2")
    _, out, _ = called(capsys, "show", moved, *options)
    assert out.startswith(f"{moved} is no live golden record; its record erp/2 is shown where it is now Golden record")


def test_what_is_not_there_is_one_sentence_and_exit_code_1(options, capsys):
    """A record that nobody knows fails; stdout stays empty."""
    assert called(capsys, "show", "crm/404", *options) == (1, "", "mdm-stream: the index knows no record crm/404")
    code, out, err = called(capsys, "explain", "crm/1", "crm/404", "--json", *options)
    assert (code, out) == (1, "")
    assert "crm/404" in err


def test_explain_says_first_what_speaks_for_and_against(options, capsys, monkeypatch):
    """People see the conclusion and what speaks, strongest first; what says nothing and the rest only on request."""
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["explain", "crm/1", "erp/2", *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "crm/1 and erp/2: They are one golden record: this pair is linked."
    said = [line.split() for line in lines]
    order = [line[:1] for line in said if line[:1] and line[0] in {"prior", "birth_date:", "family_name:", "total"}]
    assert order == [["prior"], ["birth_date:"], ["family_name:"], ["total"]]
    out = "\n".join(lines)
    for each in (
        "Decision on the pair: LINK, by score",
        "+12.50",
        "Confidence: 0.9",
        "For a match",
        "Against: nothing",
    ):
        assert each in out
    left_out = r"With --all also: \d+ comparisons that say nothing, \d+ shared blocking keys, 1 link"
    assert re.search(left_out, out)
    for hidden in ("missing", "national_id", "followed", "Okonkwo"):
        assert hidden not in out
    everything = called(capsys, "explain", "crm/1", "erp/2", "--all", *options)[1]
    for each in ("Says nothing (a value is missing: ", "followed", "Shared blocking keys"):
        assert each in everything


def test_explain_shows_values_side_by_side_when_asked(options, capsys, monkeypatch):
    """Values come with --values, sensitive ones with --reveal too; a sign says whether the two are the same."""
    monkeypatch.setenv("COLUMNS", "200")
    _, out, _ = called(capsys, "explain", "crm/1", "erp/2", "--values", *options)
    assert "family_name │ = │ Okonkwo │ Okonkwo" in out
    assert "1980-01-02" not in out
    _, out, _ = called(capsys, "explain", "crm/1", "web/4", "--values", *options)
    assert "[Ann]" in out
    _, out, _ = called(capsys, "explain", "crm/1", "erp/2", "--values", "--reveal", *options)
    assert "1980-01-02" in out


def test_explain_writes_a_page_and_a_picture(options, capsys, tmp_path):
    """--html and --svg write one file each, for their owner alone, that need nothing from outside."""
    page, picture = tmp_path / "pair.html", tmp_path / "pair.svg"
    argv = ["explain", "crm/1", "erp/2", "--values", "--html", page, "--svg", picture, *options]
    code, out, err = called(capsys, *argv)
    assert (code, out) == (0, "")
    assert str(page) in err
    assert str(picture) in err
    assert page.stat().st_mode & 0o777 == picture.stat().st_mode & 0o777 == 0o600
    for text in (page.read_text("utf-8"), picture.read_text("utf-8")):
        assert "birth_date: exact" in text
        assert "1980-01-02" not in text
    code, _, err = called(capsys, "explain", "crm/1", "web/5", "--svg", tmp_path / "none.svg", *options)
    assert code == 2
    assert "no evidence to draw" in err
    code, _, err = called(capsys, "explain", "crm/1", "erp/2", "--html", "/dev/null/x.html", *options)
    assert code == 2
    assert "cannot be written" in err


def test_explain_tells_how_a_golden_record_came_together(options, capsys, monkeypatch, tmp_path):
    """Of one name: the links, the weakest, what was refused, why values survived; as page and JSON too."""
    monkeypatch.setenv("COLUMNS", "200")
    golden_id = golden_id_of("person", "crm/1")
    code, out, _ = called(capsys, "explain", golden_id, *options)
    assert code == 0
    assert out.startswith(f"Golden record {golden_id} of 2: crm/1, erp/2")
    says = ("How it came together", "birth_date: exact", "Weakest link: number 1", "parts into 1 and 1", "survives")
    for each in (*says, "No link to another golden record was refused", "Values are shown with --values"):
        assert each in out
    assert "Okonkwo" not in out
    assert "family_name: Okonkwo" in called(capsys, "explain", "erp/2", "--values", *options)[1]
    page = tmp_path / "golden.html"
    assert run(["explain", "crm/1", "--html", str(page), "--json", *options]) == 0
    assert orjson.loads(capsys.readouterr().out)["weakest"] == 1
    assert "<svg" in page.read_text("utf-8")
    code, _, err = called(capsys, "explain", "crm/1", "--svg", tmp_path / "x.svg", *options)
    assert code == 2
    assert "name two records" in err


def test_explain_tells_what_keeps_records_apart(options, capsys):
    """A verdict, and missing keys, are told as what keeps two records apart."""
    _, out, _ = called(capsys, "explain", "crm/1", "web/3", *options)
    assert "They are apart: a steward's verdict separates them." in out
    _, out, _ = called(capsys, "explain", "crm/1", "web/4", *options)
    assert "share no blocking key" in out
    assert "Shared blocking keys: none" in out
    _, out, _ = called(capsys, "explain", "crm/1", "web/5", *options)
    assert "no golden record (deleted)" in out


def test_an_override_without_effect_is_named(options, redis_client, rules, capsys, monkeypatch):
    """Show and explain say which override is set aside, and why, of the record that has it; never its value."""
    monkeypatch.setenv("COLUMNS", "200")
    override = OverrideEvent("person", "crm/1", 9, 5, "s-1", {"city": "York", "birth_date": "1900-01-01"})
    Engine(rules, RedisIndex(redis_client, rules)).process([override])
    said = "Override of birth_date (a placeholder: counts as absent): it is set aside; take it back with --clear"
    for argv in (("show", "crm/1", *options), ("explain", "crm/1", "web/3", *options)):
        out = called(capsys, *argv)[1]
        assert out.count(said) == out.count("Override of") == 1
        assert "1900" not in out
    assert "Override of" not in called(capsys, "show", "erp/2", *options)[1]


def test_explain_speaks_json(options, capsys):
    """--json is one document with the conclusion as a word."""
    assert run(["explain", "crm/1", "web/3", "--json", *options]) == 0
    document = orjson.loads(capsys.readouterr().out)
    assert (document["together"], document["conclusion"], document["decided_by"]) == (False, "separated", "verdict")


def test_weighted_means_are_explained(redis_client, redis_url, capsys, tmp_path):
    """Rules that take a weighted mean show similarities and weights; a missing value is left out, and said to be."""
    path = tmp_path / "mean.yaml"
    path.write_text(
        "domain: place\nversion: 1\nattributes: {title: {type: text}, town: {type: text}}\n"
        "blocking: {keys: {title: title}}\n"
        "match:\n  method: weighted_mean\n  thresholds: {link: 0.9, review: 0.5}\n  comparisons:\n"
        "    title: {attributes: [title], similarity: jaro_winkler, weight: 2}\n"
        "    town: {attributes: [town], similarity: jaro_winkler, weight: 1}\n"
        "survivorship: {default: [longest]}\n"
    )
    mean = load_ruleset(path)
    events = [RecordEvent("place", "crm", record_id, "upsert", 1, 0, {"title": "Mill"}) for record_id in "12"]
    Engine(mean, RedisIndex(redis_client, mean)).process(events)
    code, out, err = called(capsys, "explain", "crm/1", "crm/2", "--redis", redis_url, "--rules", path)
    assert (code, err) == (0, "")
    for said in ("this pair is linked", "similarity 1.000", "(similarity)", "Confidence: 1.000000"):
        assert said in out


def test_refused_links_are_told_with_their_reason(redis_client, redis_url, capsys, rules, monkeypatch):
    """A link that a verdict elsewhere keeps from being followed names that verdict's records."""
    monkeypatch.setenv("COLUMNS", "200")
    events = [RecordEvent("person", "crm", record_id, "upsert", 1, 0, ANN) for record_id in "123"]
    events.append(VerdictEvent("person", "crm/1", "crm/3", "separate", 1, 4, "steward-1"))
    Engine(rules, RedisIndex(redis_client, rules)).process(events)
    _, out, _ = called(capsys, "explain", "crm/2", "crm/3", "--redis", redis_url, "--rules", "person")
    assert "the pair is linked, but following the link would join what must not be joined" in out
    assert "refused: a verdict separates crm/1 and crm/3" in out


def test_the_local_stack_is_the_default(options, redis_url, capsys, tmp_path):
    """Without --redis the addresses and rules come from the stack that runs in --state."""
    with KinesisServer() as server:
        stack = RunningStack(server.endpoint_url, "changes", "golden", redis_url, "w.duckdb", ("person",), server.keys)
        write_stack(tmp_path, stack)
        assert called(capsys, "show", "crm/1", "--state", tmp_path)[0] == 0
    code, _, err = called(capsys, "show", "crm/1", "--state", tmp_path / "none")
    assert code == 2
    assert "no local stack runs" in err


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["--redis", "URL"], 2, "--redis needs --rules"),
        (["--redis", "URL", "--rules", "organisation"], 1, "there is no index of domain"),
        (["--redis", "URL", "--rules", "person", "--namespace", "other"], 1, "check the address and the namespace"),
        (["--redis", "URL", "--rules", "person", "--rules", "organisation"], 2, "name one with --domain: organisation"),
        (["--redis", "URL", "--rules", "person", "--domain", "product"], 2, "the rules have no domain 'product'"),
        (["--redis", "nowhere", "--rules", "person"], 2, "--redis is no address"),
        (["--redis", "URL", "--rules", "absent.yaml"], 2, "absent.yaml"),
    ],
)
def test_options_that_name_no_index_are_told(options, redis_url, capsys, argv, code, said):
    """Each wrong way to name an index is one sentence and its exit code."""
    given = [redis_url if word == "URL" else word for word in argv]
    found, out, err = called(capsys, "show", "crm/1", *given)
    assert (found, out) == (code, "")
    assert said in err


def test_other_rules_are_refused(options, redis_url, capsys, tmp_path):
    """Rules other than the index's are refused in a sentence, and change nothing."""
    path = tmp_path / "mine.yaml"
    path.write_text("extends: person\nversion: 1\nblocking: {max_block_size: 7}\n")
    code, _, err = called(capsys, "show", "crm/1", "--redis", redis_url, "--rules", path)
    assert code == 1
    assert "built with another rule set" in err
