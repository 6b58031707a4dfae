"""Nothing from outside reaches a terminal as anything but text: every command that prints it, run on a terminal."""

import os
import pty
import pwd
import re
import subprocess
import sys

import orjson
import pytest

from mdm_stream.cli.output import plain, plain_lines, print_json, print_table
from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.dead_letters.quarantine import QuarantineEntry, open_quarantine
from mdm_stream.decode import Delivery
from mdm_stream.deployment import QUARANTINE_FOLDER, RunningStack, write_stack
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import Reason
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rules import load_ruleset

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eexe.\u2066\u200b\x7f\x08[red]"
"""A title and a clear screen as escapes, one in a single character, bidi, unseen, rubout, and markup of a table."""
UNSAFE = re.compile(
    "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
STYLE = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|2K|1A)")
"""What tables put around their headings, and bars use to draw themselves again."""
ANN = {"given_name": f"Ann{EVIL}", "family_name": f"Okonkwo{EVIL}", "birth_date": "1980-01-02", "city": f"Leeds{EVIL}"}
ONE, TWO, THREE = (f"crm/{number}{EVIL}" for number in (1, 2, 3))
DOUBTED = {name: value for name, value in ANN.items() if name != "birth_date"}
ME = f"user:{pwd.getpwuid(os.geteuid()).pw_name}"
ARGUMENT = EVIL.replace("\x00", "")

pytestmark = pytest.mark.one_redis


@pytest.fixture(scope="module")
def rules():
    """The person pack."""
    return load_ruleset("person")


@pytest.fixture
def stack(redis_client, redis_url, rules, tmp_path):
    """The state folder of a stack whose index, quarantine and files are full of hostile text."""
    records = [
        RecordEvent("person", "crm", ref.partition("/")[2], "upsert", f"v{EVIL}", place, ANN)
        for place, ref in enumerate((ONE, TWO, THREE))
    ]
    records.append(RecordEvent("person", "crm", f"4{EVIL}", "upsert", f"v{EVIL}", 4, DOUBTED))
    apart = VerdictEvent("person", ONE, THREE, "separate", f"1{EVIL}", 4, f"steward{EVIL}")
    together = VerdictEvent("person", TWO, THREE, "link", f"1{EVIL}", 4, f"steward{EVIL}")
    assert not Engine(rules, RedisIndex(redis_client, rules)).process([*records, apart, together]).failed
    folder = tmp_path / "state"
    folder.mkdir()
    write_stack(folder, RunningStack("http://127.0.0.1:9", f"changes{EVIL}", "golden", redis_url, "none", ("person",)))
    quarantine = open_quarantine((folder / QUARANTINE_FOLDER).as_uri())
    delivery = Delivery.from_kinesis(f"raw {EVIL}".encode(), "1", 1.0, f"changes/shard:1{EVIL}")
    reasons = (Reason("unknown_source", f"source{EVIL}", f"is not known {EVIL}"),)
    entry = QuarantineEntry(delivery, reasons, 0, "person", f"crm{EVIL}", f"1{EVIL}")
    quarantine.put([entry])
    bad = 'domain: person\nversion: 1\nattributes:\n  "x\\u202e\\u009b": {type: "na\\u202eme"}\nblo\u202eck: 1\n'
    (tmp_path / "rules.yaml").write_text(bad)
    (tmp_path / "crosswalk.csv").write_text(f"domain,source,record_id,golden_id\np,a,1,g\np,a,1,{EVIL}\n")
    (tmp_path / f"{ARGUMENT.replace('/', '')}.csv").write_text("a\n")
    return folder, entry.quarantine_id


def on_a_terminal(folder, *arguments):
    """Run a command with stdout and stderr on a terminal; return its exit code and what the terminal got."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "mdm_stream.cli.main", *map(str, arguments)]
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "400", "PYTHONIOENCODING": "utf-8"}
    environment["MDM_AUTHORITY"] = orjson.dumps({"viewers": {ME: {"sensitive": "*"}}}).decode()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, cwd=folder.parent, env=environment
    ) as process:
        os.close(slave)
        got = b""
        while True:
            try:
                read = os.read(master, 65_536)
            except OSError:  # the other end was closed
                break
            if not read:
                break
            got += read
        code = process.wait(timeout=60)
    os.close(master)
    return code, STYLE.sub("", got.decode("utf-8"))


COMMANDS = {
    "show a record": (["show", ONE, "--rules", "person", "--reveal"], 0, "Ann"),
    "show a golden record": (["show", golden_id_of("person", ONE), "--rules", "person", "--reveal"], 0, "Ann"),
    "show in JSON": (["show", ONE, "--rules", "person", "--reveal", "--json"], 0, "Ann"),
    "show what is not there": (["show", f"crm/{ARGUMENT}", "--rules", "person"], 1, "crm/"),
    "show with an unknown option": (["show", f"--x{ARGUMENT}"], 2, "option"),
    "an unknown command": ([f"sh{ARGUMENT}"], 2, "no command"),
    "explain": (["explain", ONE, THREE, "--rules", "person", "--reveal"], 0, "steward"),
    "explain all of it": (["explain", ONE, TWO, "--all", "--values", "--rules", "person", "--reveal"], 0, "Ann"),
    "explain a golden record": (["explain", TWO, "--values", "--rules", "person", "--reveal"], 0, "Ann"),
    "explain in JSON": (["explain", ONE, TWO, "--rules", "person", "--reveal", "--json"], 0, "crm"),
    "review": (["review", "list", "--rules", "person"], 0, "steward"),
    "review next": (["review", "next", "--steward", "s", "--stream", "x", "--rules", "person"], 0, "Question 1"),
    "review next in JSON": (["review", "next", "--json", "--rules", "person", "--reveal"], 0, "Ann"),
    "hold": (["hold", "person", "--reason", "because \u202e\u200bof that"], 0, "because"),
    "release": (["release", f"person{ARGUMENT}"], 2, "no index"),
    "dlq list": (["dlq", "list"], 0, "unknown_source"),
    "dlq list in JSON": (["dlq", "list", "--json"], 0, "unknown_source"),
    "dlq show": (["dlq", "show", "LETTER", "--raw"], 0, "is not known"),
    "dlq show in JSON": (["dlq", "show", "LETTER", "--raw", "--json"], 0, "is not known"),
    "dlq show what is not there": (["dlq", "show", f"0{ARGUMENT}"], 2, ""),
    "rules check": (["rules", "check", "rules.yaml"], 2, "rules.yaml:"),
    "rules check in JSON": (["rules", "check", "rules.yaml", "--json"], 2, "rules.yaml"),
    "rules check of a file that is not there": (["rules", "check", f"{ARGUMENT}.yaml"], 2, "no such file"),
    "evaluate": (["evaluate", "--crosswalk", "crosswalk.csv", "--truth", f"{ARGUMENT}.csv"], 2, "csv"),
    "profile": (["profile", "--shared", f"{ARGUMENT}.jsonl", "--rules", "person"], 2, "no such file"),
    "publish": (["publish", f"{ARGUMENT}.csv", "--format", "csv", "--rules", "person"], 2, ""),
    "override": (["override", ONE, f"x{ARGUMENT}=1", "--rules", "person", "--steward", "s"], 2, ""),
    "erase": (["erase", "--verify", f"web/{ARGUMENT}", "--domain", "person"], None, ""),
    "archive": (["archive", "verify", "--archive", f"file:///nowhere/{ARGUMENT}"], None, ""),
    "trace": (["trace", ONE, "--rules", "person"], 0, "is live"),
    "trace a dead letter": (["trace", "LETTER", "--rules", "person"], 0, "unknown_source"),
    "trace in JSON": (["trace", "LETTER", "--rules", "person", "--json"], 0, "is not known"),
    "trace a version": (["trace", f"crm/{ARGUMENT}@{ARGUMENT}", "--rules", "person"], 1, "at version"),
    "trace what is no name": (["trace", ARGUMENT.replace("/", ""), "--rules", "person"], 2, "no golden id"),
    "a traceback": (["--debug", "show", f"crm/{ARGUMENT}", "--rules", "person"], 1, "Traceback"),
}
ON_AN_INDEX = ("show", "explain", "review", "hold", "release")


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_passes_control_characters_on(stack, redis_url, name):
    """Whatever outside text a command prints: the terminal gets no control, bidi or unseen character."""
    folder, letter = stack
    arguments, code, said = COMMANDS[name]
    arguments = [letter if argument == "LETTER" else argument for argument in arguments]
    if arguments[arguments[0] == "--debug"] in ON_AN_INDEX and not arguments[1].startswith("--x"):
        arguments += ["--redis", redis_url]
    elif arguments[0] == "trace":
        stores = ("--archive", str(folder / "archive"), "--quarantine", str(folder / QUARANTINE_FOLDER))
        arguments += ["--redis", redis_url, *stores]
    elif arguments[0] in ("dlq", "override"):
        arguments += ["--state", str(folder)]
    ended, got = on_a_terminal(folder, *arguments)
    assert not UNSAFE.search(got), (name, UNSAFE.search(got), got)
    assert said in got
    assert code is None or ended == code, got


def test_escapes_lose_nothing_in_json(capsys):
    """A program that reads a document gets the very text, and a terminal gets none of it as more than text."""
    print_json({EVIL: EVIL + "\U000e0041"})
    written = capsys.readouterr().out
    assert not UNSAFE.search(written)
    assert orjson.loads(written) == {EVIL: EVIL + "\U000e0041"}


def test_a_line_is_one_line():
    """A value cannot begin a line of its own; an error may have several."""
    assert plain("a\nNothing is left\r\t") == r"a\nNothing is left\r\t"
    assert plain_lines("a\x1b\nb\u202e") == "a\\x1b\nb\\u202e"
    assert plain("\ud800\U000e0001") == r"\ud800\U000e0001"
    names = "Nguyễn, \u6f22\u5b57, \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645, \U0001f469\u200d\U0001f467"
    assert plain(names) == names


def test_a_table_is_plain_everywhere(capsys, monkeypatch):
    """Title, headings and cells are text, and no markup of the table's either."""
    monkeypatch.setenv("COLUMNS", "400")
    print_table(EVIL, ("name", EVIL), [(EVIL, "x" + EVIL)], texts=True)
    written = capsys.readouterr().out
    assert not UNSAFE.search(written)
    assert written.count("[red]") == 4
