"""Hostile rule files: each is answered with file and line, in bounded time and words, and never with anything else."""

import os
import random
import time
from pathlib import Path

import pytest

from mdm_stream.cli.main import run
from mdm_stream.errors import RulesError
from mdm_stream.rules import check_file, load_ruleset
from mdm_stream.rules.extend import PACKS
from mdm_stream.rules.findings import FINDINGS_MAX, MESSAGE_CHARS_MAX
from mdm_stream.rules.tree import FILE_BYTES_MAX

pytestmark = pytest.mark.slow

GOOD = """domain: person
version: 1
attributes:
  given_name: {type: name}
  email: {type: email, multi: true, pattern: '[^@]+@.+'}
sources:
  crm: {format: dms, table: a.b, key: [id], attributes: {email: mail, given_name: [first, second]}}
blocking:
  max_block_size: 50
  keys:
    names: given_name + first(email, 3)
match:
  thresholds: {link: 0.9, review: 0.5}
  comparisons:
    given_name:
      levels:
        - {when: null, bits: 0}
        - {when: {jaro_winkler: 0.9}, bits: 6}
        - {when: else, bits: -5}
survivorship: {default: [most_recent], rules: {email: [union]}}
limits: {max_cluster_size: 20}
"""
MIBS_MAX_S = 5.0


def put(old, new):
    """The good rule set with one text replaced."""
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def many(line, count):
    """So many lines, each with its number."""
    return "".join(line.format(number) for number in range(count))


WHOLE_FILES = {  # answered for the file as a whole, and not for a line
    "ten megabytes": b"a: " + b"x" * 10_000_000,
    "one byte too many": b"#" * FILE_BYTES_MAX + b"\n",
    "nothing": b"",
}
TEXTS = {
    "a billion laughs": "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(9)),
    "a cycle of aliases": "a: &a [*a]\n",
    "a merge key": put("given_name: {type: name}", "given_name: {<<: *x}"),
    "deep lists": put("version: 1", "version: " + "[" * 100_000),
    "deep mappings": put("version: 1", "version: " + "{a: " * 50_000),
    "deep indentation": "".join(" " * depth + "a:\n" for depth in range(600)),
    "a tag of Python": put("person", "!!python/object/apply:os.system [ls]"),
    "a tag of YAML": put("version: 1", "version: !!int 1"),
    "binary of YAML": put("person", "!!binary aGk="),
    "a key twice": put("version: 1", "version: 1\nversion: 2"),
    "a list as key": put("version: 1", "[a]: 1"),
    "a mapping as key": put("version: 1", "? {a: b}\n: 1"),
    "a NUL": put("person", "per\x00son"),
    "an escaped NUL": put("person", '"per\\0son"'),
    "a surrogate": put("person", '"\\ud800"'),
    "an encoded surrogate": put("person", "\ud800").encode("utf-8", "surrogatepass"),
    "a bidi name": put("given_name: {type", "given_\u202ename: {type"),
    "a number beyond any double": put("bits: 6", "bits: 1e400"),
    "no number": put("bits: 6", "bits: .nan"),
    "an endless number": put("bits: 6", "bits: .inf"),
    "five thousand digits": put("version: 1", "version: " + "9" * 5_000),
    "an exponent of nine digits": put("bits: 6", "bits: 1e999999999"),
    "a number below zero": put("max_block_size: 50", "max_block_size: -1"),
    "a scalar of 200 kB as type": put("type: name", "type: " + "e" * 200_000),
    "a scalar of 200 kB as name": put("given_name: {type", "? '" + "k" * 200_000 + "'\n  : {type"),
    "a scalar of 200 kB as kind": put("jaro_winkler: 0.9", "? " + "j" * 900 + "\n          : 0.9"),
    "an endless key expression": put("first(email, 3)", " + ".join(["email"] * 15_000)),
    "a key expression of 20,000 levels": put("first(email, 3)", "unordered(" * 20_000),
    "a key expression of 90 levels": put("first(email, 3)", "unordered(" * 90),
    "a key expression of digits": put("first(email, 3)", f"'first(email, {'9' * 900})'"),
    "a pattern that backtracks": put("[^@]+@.+", r"(a+)+\1b"),
    "a pattern of 200 kB": put("[^@]+@.+", "a" * 200_000),
    "a pattern that grows": put("[^@]+@.+", r"\w{1,300}" * 3),
    "450 patterns": put("attributes:\n", "attributes:\n" + many("  x{}: {{type: name, pattern: a}}\n", 450)),
    "15,000 unknown settings": GOOD + many("attribute{}: 1\n", 15_000),
    "9,000 wrong attributes": put("attributes:\n", "attributes:\n" + many("  x{}: {{tipe: name}}\n", 9_000)),
    "6,000 key expressions": put("  keys:\n", "  keys:\n" + many("    k{}: email\n", 6_000)),
    "7,000 levels": put("      levels:\n", "      levels:\n" + "        - {when: exact, bits: 1}\n" * 7_000),
    "UTF-16": GOOD.encode("utf-16"),
    "UTF-32": GOOD.encode("utf-32"),
    "Latin-1": put("person", "p\xe9rson").encode("latin-1"),
    "gzip": b"\x1f\x8b" + bytes(range(256)),
    "a list": "- a\n- b\n",
    "a text": "just words\n",
    "two documents": GOOD + "---\na: 1\n",
    "extends itself": "extends: rules.yaml\n",
    "extends in a circle": "extends: loop.yaml\n",
    "extends a folder": "extends: folder.yaml\n",
    "extends a device": "extends: device.yaml\n",
    "extends a device by its path": "extends: /dev/zero\n",
    "extends a pipe": "extends: pipe.yaml\n",
    "extends a circle of links": "extends: link.yaml\n",
    "extends what is no rule set outside": "extends: ../outside.yaml\n",
    "extends a system's file": "extends: ../../../../../../../../etc/passwd\n",
    "extends a path that is too long": "extends: " + "a/" * 3_000 + "x.yaml\n",
    "extends a path with a NUL": 'extends: "a\\0.yaml"\n',
    "extends a list": "extends: [person]\n",
    "extends nothing": "extends: null\n",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with what a hostile rule set may name."""
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    (inside / "loop.yaml").write_text("extends: rules.yaml\n")
    (inside / "folder.yaml").mkdir()
    (inside / "device.yaml").symlink_to("/dev/zero")
    (inside / "link.yaml").symlink_to("knil.yaml")
    (inside / "knil.yaml").symlink_to("link.yaml")
    os.mkfifo(inside / "pipe.yaml")
    (tmp_path / "outside.yaml").write_text("root:x:0:0\nsecret word\n")
    return inside


def answers_for(folder, content):
    """The findings about a file, after checking that each is short and says where, and that few are listed."""
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    (folder / "rules.yaml").write_bytes(raw)
    begin_s = time.process_time()
    found = check_file("rules.yaml")
    assert time.process_time() - begin_s < MIBS_MAX_S
    assert len(found) <= FINDINGS_MAX + 1
    for finding in found:
        assert len(finding.message) <= MESSAGE_CHARS_MAX + len(" ... ")
        assert finding.file in ("rules.yaml", "loop.yaml", "../outside.yaml") or finding.file.startswith("mdm_stream/")
    return found


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_file_is_answered_with_its_line(folder, name):
    """Every error names a file and a line, and loading the file raises the same."""
    found = answers_for(folder, TEXTS[name])
    assert found
    assert all(finding.severity == "error" and finding.line > 0 for finding in found)
    with pytest.raises(RulesError):
        load_ruleset("rules.yaml")


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_a_file_that_is_none_is_answered_as_a_whole(folder, name):
    """What is wrong with no line of a file is said of the file."""
    (finding,) = answers_for(folder, WHOLE_FILES[name])
    assert (finding.file, finding.severity) == ("rules.yaml", "error")


def test_the_good_file_is_good(folder):
    """What the hostile files are made from can be used."""
    assert not [finding for finding in answers_for(folder, GOOD) if finding.severity == "error"]


@pytest.mark.parametrize("name", ["a billion laughs", "extends a device", "a key expression of 90 levels", "UTF-16"])
def test_the_command_answers_too(folder, name, capfd):
    """``rules check`` ends with 2 and the findings, without a traceback or an unexpected error."""
    answers_for(folder, TEXTS[name])
    assert run(["rules", "check", "rules.yaml"]) == 2
    said = capfd.readouterr().err
    assert said.startswith("mdm-stream: rules.yaml:")
    assert "unexpected" not in said.replace("unexpected 'un", "")


VALUES = [
    *("1e400", ".nan", "9" * 40, "-1", "0", "1.5", "null", "true", "''", '"\\0"', '"\\u202e"', "[]", "{}", "[[1]]"),
    *("{a: {b: 1}}", "{[a]: 1}", "&x [1]", "*x", "!!int 3", "|\n  x", "[" * 40, "{a: " * 30, "/dev/zero", ".."),
    *(
        "person",
        "rules.yaml",
        "<<",
        "=",
        "%",
        "@x",
        "`",
        "- a",
        "? x",
        "1:2",
        "0x1f",
        "\t",
        "\ufeff",
        "\u2028",
        "x" * 3_000,
    ),
]
SETTINGS = ["extends", "attributes", "x", "limits", "match", "sources", "blocking", "survivorship", "version", "domain"]
MARKS = ":{}[]'\"&*!|>#-,?% \t\x00\x7f\u202e\ud800\xe909"


def mutated(text, chance):
    """A rule set with one of its lines dropped, doubled, moved, damaged, or given another value."""
    lines = text.split("\n")
    place = chance.randrange(len(lines))
    line = lines[place]
    name = line.partition(":")[0]
    kind = chance.randrange(8)
    if kind == 0:
        del lines[place]
    elif kind == 1:
        lines.insert(place, chance.choice(lines))
    elif kind == 2:
        lines[place] = f"{name}: {chance.choice(VALUES)}"
    elif kind == 3:
        lines[place] = " " * chance.randrange(6) + line.strip()
    elif kind == 4:
        lines.insert(place, f"{' ' * chance.randrange(8)}{chance.choice(SETTINGS)}: {chance.choice(VALUES)}")
    elif kind == 5:
        at = chance.randrange(len(line) + 1)
        lines[place] = line[:at] + chance.choice(MARKS) + line[at + chance.randrange(2) :]
    elif kind == 6:
        lines[place] = " " * (len(line) - len(line.lstrip())) + f"{chance.choice(VALUES)}: {chance.choice(VALUES)}"
    else:
        lines[place] = line.replace(chance.choice("abcdefghij: {}[]"), chance.choice(["", "x", ":", "[", "}", "\xe9"]))
    return "\n".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_file_is_used_or_answered_with_its_line(folder, seed):
    """Whatever becomes of a good file, or of a pack: it loads, or every error says where; nothing else is raised."""
    chance = random.Random(seed)
    texts = [GOOD, GOOD, GOOD, *(path.read_text("utf-8") for path in sorted(Path(PACKS).glob("*.yaml")))]
    for _ in range(60):
        text = chance.choice(texts)
        for _ in range(chance.randrange(1, 4)):
            text = mutated(text, chance)
        errors = [finding for finding in answers_for(folder, text) if finding.severity == "error"]
        if errors:
            assert all(finding.line > 0 or not text.strip() for finding in errors)
        else:
            load_ruleset("rules.yaml")
