"""``mdm-stream profile --shared``: of files and of the archive, without a personal value unless asked for."""

from __future__ import annotations

import orjson
import pytest

from mdm_stream.archive import open_archive
from mdm_stream.archive.rows import rows_of
from mdm_stream.cli.main import run
from mdm_stream.core.blocking.keys import key_digest
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.deployment import ARCHIVE_FOLDER
from mdm_stream.rules import load_ruleset

DESK = "reception@clinic.example"
PHONE = "+442071234567"
PERSONAL = (DESK, PHONE, "reception", "Quackenbush", "7123")


def event(number: int, source: str = "crm", **attributes: str) -> bytes:
    """A change event in canonical form."""
    values = {"given_name": f"Ann{number}", "family_name": "Quackenbush", **attributes}
    said = {"domain": "person", "source": source, "record_id": str(number), "op": "upsert", "version": 1}
    return orjson.dumps({**said, "attributes": values})


EVENTS = [event(n, "crm" if n % 3 else "erp", email=DESK, phone=PHONE) for n in range(30)]
EVENTS += [event(n, email=f"own{n}@x.example", birth_date="1970-01-01") for n in range(100, 120)]


@pytest.fixture
def file(tmp_path):
    """Events as lines, one of which cannot be read."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join([*EVENTS, b"{}"]))
    return path


@pytest.fixture
def state(tmp_path):
    """The folder of a local stack whose archive has the events, some of them twice."""
    rules = load_ruleset("person")
    decoder, folder = Decoder({"person": rules}), tmp_path / "state"
    archive = open_archive((folder / ARCHIVE_FOLDER).as_uri())
    rows = []
    for number, raw in enumerate([*EVENTS, *EVENTS[:10]]):
        delivery = Delivery(raw, f"{number:08}", 1, f"changes/shard-0:{number}")
        rows += rows_of("person", decoder.decode(delivery), delivery)
    archive.append("person", rows, EpochPosition(1, 0, 0))
    return folder


def said(arguments, capsys, code=0):
    """What a command prints, on both."""
    assert run(["profile", *map(str, arguments)]) == code
    printed = capsys.readouterr()
    return printed.out + printed.err


def test_a_file_shows_what_is_shared_and_no_value(file, capsys):
    """Records and sources of each, what is set aside with its list, what cannot be read; values only if asked for."""
    printed = said(["--shared", file, "--rules", "person"], capsys)
    assert "50 live records" in printed
    assert "crm 20, erp 10" in printed
    assert "list zero_dates" in printed
    assert "r… (24 characters)" in printed
    assert "1 events or rows cannot be read" in printed
    assert not any(value in printed for value in PERSONAL)
    printed = said(["--shared", file, "--rules", "person", "--show-values"], capsys)
    assert DESK in printed
    assert f'shared_email: {{attributes: email, values: ["{DESK}"]}}' in printed


def test_the_archive_is_read_as_what_was_delivered(state, capsys):
    """As JSON: each record once, though some were delivered twice; the lines alone are the placeholders."""
    arguments = ["--shared", "--on", "archive", "--state", state, "--rules", "person", "--json"]
    printed = said(arguments, capsys)
    assert not any(value in printed for value in PERSONAL)
    document = orjson.loads(printed)
    [domain] = document["domains"]
    assert (domain["records"], domain["placeholders"], document["rejected"]) == (50, 2, {})
    assert {group["name"]: group["values"][0]["records"] for group in domain["shared"]} == {"email": 30, "phone": 30}
    assert domain["set_aside_reasons"] == {"birth_date: placeholder": 20}
    [domain] = orjson.loads(said([*arguments, "--show-values"], capsys))["domains"]
    assert domain["placeholders"] == [
        f'shared_email: {{attributes: email, values: ["{DESK}"]}}',
        f'shared_phone: {{attributes: phone, values: ["{PHONE}"]}}',
    ]


def test_a_suspended_key_is_found_by_the_digest_of_the_log(tmp_path, capsys):
    """Each with its expression, and the key itself only if asked for."""
    path = tmp_path / "rules.yaml"
    path.write_text("extends: person\nblocking: {max_block_size: 20}\n")
    [tag] = [each.tag for each in load_ruleset(path).blocking if each.text == "phone"]
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"\n".join(EVENTS))
    document = orjson.loads(said(["--shared", events, "--rules", path, "--json"], capsys))
    found = {group["name"]: group["values"][0] for group in document["domains"][0]["suspended"]}
    assert found["phone"]["digest"] == key_digest(f"{tag}:{PHONE}")
    assert found["phone"]["records"] == 30


def test_csv_files_are_judged_first(tmp_path, capsys):
    """A file that the rules are not about is refused, as a replay refuses it."""
    path = tmp_path / "rules.yaml"
    path.write_text(
        "extends: person\nsources:\n  crm:\n    format: csv\n    key: [id]\n"
        "    attributes: {given_name: name, email: mail}\n"
    )
    good = tmp_path / "good.csv"
    good.write_text("id,name,mail\n" + "".join(f"{n},Ann,{DESK}\n" for n in range(25)))
    assert "25 live records" in said(["--shared", good, "--source", "crm", "--rules", path], capsys)
    bad = tmp_path / "bad.csv"
    bad.write_text("one,two\n1,2\n")
    assert "nothing was profiled" in said(["--shared", bad, "--source", "crm", "--rules", path], capsys, code=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x.jsonl", "--rules", "person"], "no such file"),
        (["--shared", "--rules", "person"], "--on archive"),
        (["--shared", "x.jsonl", "--on", "archive", "--rules", "person"], "--on archive"),
        (["--shared", "nowhere.jsonl", "--rules", "person"], "no such file"),
        (["--shared", "--on", "archive", "--state", "nowhere", "--rules", "person"], "there is no archive in nowhere"),
    ],
)
def test_what_is_missing_is_named(arguments, message, capsys, tmp_path, monkeypatch):
    """Which report, of what, and where."""
    monkeypatch.chdir(tmp_path)
    assert message in said(arguments, capsys, code=2)
