"""``review next`` on a real index and a real Kinesis API: keys decide, undo is an event, values are shown by right."""

from __future__ import annotations

import io
import time

import orjson
import pytest
from test_cli_steward import World, called

from mdm_stream.cli.main import run
from mdm_stream.cli.review_next import ANSWERS, read_answer
from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.rules import load_ruleset
from mdm_stream.steward.decided_alike import RECORDS_READ_MAX

pytestmark = pytest.mark.one_redis

NAMES = {"given_name": "Ann", "family_name": "Okonkwo"}
EVIL = "\x1b[2J\u202e"


@pytest.fixture(scope="module")
def rules():
    """The person pack."""
    return load_ruleset("person")


@pytest.fixture
def world(redis_client, redis_url, server, rules, tmp_path, request, monkeypatch):
    """Two pairs in the middle band: the same names, and nothing else to go by."""
    world = World(redis_client, redis_url, server, rules, tmp_path, f"changes-{abs(hash(request.node.name))}")
    world.apply(
        RecordEvent("person", "crm", "1", "upsert", 1, 0, NAMES),
        RecordEvent("person", "erp", "2", "upsert", 1, 1, {**NAMES, "city": f"Leeds{EVIL}"}),
        RecordEvent("person", "crm", "5", "upsert", 1, 0, {"given_name": "Omar", "family_name": "Petrov"}),
        RecordEvent("person", "erp", "6", "upsert", 1, 1, {"given_name": "Omar", "family_name": "Petrov"}),
    )
    monkeypatch.setenv("COLUMNS", "120")
    return world


@pytest.fixture
def answers(monkeypatch):
    """Put answers on standard input, a line each."""

    def put(*lines):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))

    return put


def following(capsys, world, *more):
    """Run the command; return exit code, stdout and stderr."""
    return called(capsys, "review", "next", "--steward", "s-7", *more, *world.state)


def test_what_teaches_most_comes_first(world, capsys, answers):
    """Both commands say how many questions are like one; asked for the order by worth alone, neither does."""
    for more in ((), ("--order", "teaches")):
        code, out, _ = called(capsys, "review", "list", *more, *world.state)
        assert code == 0
        assert out.count("2 open questions look like this one, 0 decided") == 2
    answers("l", "q")
    code, out, _ = following(capsys, world)
    assert code == 0
    assert "2 open questions look like this one, 0 decided" in out
    assert "look" not in called(capsys, "review", "list", "--order", "worth", *world.state)[1]


def test_one_pair_at_a_time_is_decided_by_keys(world, capsys, answers):
    """Each verdict is sent at once, as an event under the steward's name; the rest is asked, and nothing twice."""
    answers("l", "separate")
    code, out, err = following(capsys, world)
    assert (code, err) == (0, "")
    sent = [event for _, _, event in world.sent()]
    assert [(event.verdict, event.steward) for event in sent] == [("link", "s-7"), ("separate", "s-7")]
    assert {(event.a, event.b) for event in sent} == {("crm/1", "erp/2"), ("crm/5", "erp/6")}
    assert out.index("Okonkwo") < out.index("What speaks for and against")
    assert "Nothing more is open. Done: 1 link, 1 separate." in out
    assert out.count("Question") == 2


def test_undo_takes_the_last_verdict_back_as_an_event(world, capsys, answers):
    """What stood before is sent under a greater version, though the index has not seen the verdict yet."""
    answers("u", "l", "u", "k", "s", "q")
    code, out, _ = following(capsys, world)
    assert code == 0
    first, back, second = [event for _, _, event in world.sent()]
    assert (first.verdict, back.verdict, second.verdict) == ("link", "none", "separate")
    assert (first.a, first.b) == (back.a, back.b)
    assert (second.a, second.b) != (first.a, first.b)
    assert back.version > first.version
    assert "Nothing was decided in this session" in out
    assert "1 undone" in out
    world.apply(back, first)
    assert len(set(world.index.golden_of([first.a, first.b]).values())) == 2


def test_a_decision_after_an_undo_counts_whatever_other_clocks_say(world, capsys, answers):
    """Each verdict of a session has a version above those before it, though a clock elsewhere is an hour ahead."""
    ahead = time.time_ns() // 1000 + 3_600_000_000
    world.apply(
        VerdictEvent("person", "crm/1", "erp/2", "none", ahead, 5, "s-1"),
        VerdictEvent("person", "crm/5", "erp/6", "none", ahead, 5, "s-1"),
    )
    answers("s", "u", "l", "q")
    assert following(capsys, world)[0] == 0
    sent = [event for _, _, event in world.sent()]
    assert [event.verdict for event in sent] == ["separate", "none", "link"]
    assert len({(event.a, event.b) for event in sent}) == 1
    assert [event.version for event in sent] == [ahead + 1, ahead + 2, ahead + 3]
    world.apply(*sent[::-1])
    assert len(set(world.index.golden_of([sent[0].a, sent[0].b]).values())) == 1


def test_on_a_terminal_one_key_is_enough(monkeypatch):
    """No Enter is waited for; Ctrl-C and the end of input are the end of the session."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.getchar", lambda: "L")
    assert ANSWERS[read_answer()] == "link"
    for end in (KeyboardInterrupt, EOFError):

        def ended(end=end):
            raise end

        monkeypatch.setattr("click.getchar", ended)
        assert read_answer() is None


def test_other_keys_decide_nothing(world, capsys, answers):
    """An unknown word asks again with what the keys mean; the end of the input, or of a session, sends nothing."""
    answers("lnk", "", "?")
    code, out, _ = following(capsys, world)
    assert code == 0
    assert out.count("a SEPARATE verdict is sent") == 3
    assert world.sent() == []
    assert "Done: nothing decided." in out


def test_hostile_values_are_text(world, capsys, answers):
    """A value that would clear the screen is shown as what it is."""
    answers("q")
    assert run(["review", "next", "--steward", "s-7", *world.state]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_machines_get_one_document(world, capsys):
    """--json writes the next item with its explanation and values, needs no name, and asks nothing."""
    assert run(["review", "next", "--json", *world.state]) == 0
    document = orjson.loads(capsys.readouterr().out)
    assert document["total"] == 2
    assert document["explanation"]["conclusion"] == "review"
    assert document["explanation"]["values"]["family_name"] in (["Okonkwo"] * 2, ["Petrov"] * 2)
    assert world.sent() == []


def test_slips_are_told(world, capsys, monkeypatch):
    """Without a name nothing can be decided; without a right no value is shown, and no decision taken blindly."""
    code, _, err = called(capsys, "review", "next", *world.state)
    assert code == 2
    assert "--steward" in err
    monkeypatch.setenv("MDM_AUTHORITY", '{"viewers": {"user:nobody-here": {}}}')
    code, _, err = following(capsys, world)
    assert code == 2
    assert "has no right to see values" in err


def test_an_empty_queue_is_said(world, capsys, answers):
    """Nothing open is a sentence, not an error."""
    answers()
    code, out, _ = following(capsys, world, "--reason", "exclusive")
    assert code == 0
    assert "Nothing is open in the review queue." in out


@pytest.mark.parametrize("command", ["list", "next"])
def test_help_names_the_limit_of_the_order(capsys, command):
    """What `--order auto` hangs on is the setting's own number."""
    assert f"up to {RECORDS_READ_MAX:,} records" in called(capsys, "review", command, "--help")[1]
