"""What docs/guide/stewards.md shows is what the system takes and does."""

from __future__ import annotations

import re
from pathlib import Path

import click
import orjson
import pytest
import yaml

from mdm_stream.cli.main import cli
from mdm_stream.cli.review_next import ANSWERS
from mdm_stream.cli.waterfall_text import waterfall_lines
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.cluster.review_order import REASONS
from mdm_stream.core.model import OverrideEvent, RecordEvent, VerdictEvent
from mdm_stream.core.reference import resolve
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.authority import NO_VIEW, ViewGrant
from mdm_stream.decode.authority_policy import policy_of
from mdm_stream.rules import load_ruleset

PAGE = (Path(__file__).parents[2] / "docs" / "guide" / "stewards.md").read_text("utf-8")
EXAMPLES = [orjson.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
COMMANDS = re.findall(r"^mdm-stream ([a-z]+)(?: ([a-z]+) )?(.*?)(?: +#.*)?$", PAGE, re.MULTILINE)


def decoded():
    """Return the page's events as the consumer decodes them, under rules that have their attributes."""
    decoder = Decoder({"person": load_ruleset("person")})
    return [decoder.decode(Delivery.unplaced(orjson.dumps(example)))[0] for example in EXAMPLES]


def test_the_wire_examples_are_events():
    """Each is read as what the page says that it is, and is written again with the same meaning."""
    verdict, override, expiry = decoded()
    assert isinstance(verdict, VerdictEvent)
    assert isinstance(override, OverrideEvent)
    assert isinstance(expiry, OverrideEvent)
    assert (expiry.expired, expiry.version, expiry.event_time_us) == (True, override.version, override.expires_at_us)
    decoder = Decoder({"person": load_ruleset("person")})
    for event in (verdict, override, expiry):
        assert decoder.decode(Delivery.unplaced(encode_event(event))) == (event,)


def test_the_wire_examples_do_what_the_page_says():
    """The verdict keeps two equal records apart; the override stands in the golden record, and ends."""
    verdict, override, expiry = decoded()
    ann = {"given_name": "Ann", "family_name": "Okonkwo", "birth_date": "1980-01-02", "street": "1 Low St"}
    records = [RecordEvent("person", source, i, "upsert", 1, 0, ann) for source, i in (("crm", "42"), ("erp", "7"))]
    rules = load_ruleset("person")
    assert len(resolve(rules, records).golden) == 1
    found = resolve(rules, [verdict, *records, override])
    assert len(found.golden) == 2
    golden = found.golden[found.crosswalk["crm/42"]]
    assert golden["values"]["birth_date"] == "1961-04-03"
    assert (golden["provenance"]["birth_date"][0]["source"], golden["provenance"]["birth_date"][0]["record_id"]) == (
        "steward",
        "crm/42",
    )
    found = resolve(rules, [expiry, *records, override])
    assert found.golden[found.crosswalk["crm/42"]]["values"]["birth_date"] == "1980-01-02"


@pytest.mark.parametrize(("name", "second", "rest"), COMMANDS)
def test_the_commands_exist_with_the_options_shown(name, second, rest):
    """Every command line of the page is one that the program takes."""
    context = click.Context(cli)
    command = cli.get_command(context, name)
    if isinstance(command, click.Group):
        command = command.get_command(context, second)
    assert command is not None
    options = {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z]+", rest)) <= options


def test_the_reasons_are_those_of_the_code():
    """The page names every reason that an item can have."""
    assert all(f"`{reason}`" in PAGE for reason in REASONS)


def test_the_viewers_shown_are_a_policy():
    """The example is one that the setting takes, and gives what the page says."""
    example = yaml.safe_load(re.findall(r"```yaml\n(viewers:.*?)```", PAGE, re.DOTALL)[0])
    policy = policy_of(orjson.dumps(example).decode(), "mdm-steward")
    assert policy.of_viewer(["user:privacy"]) == ViewGrant(sensitive=None)
    assert policy.of_viewer(["group:operators"]) == NO_VIEW
    both = policy.of_viewer(["group:stewards", "arn:aws:sts::123456789012:assumed-role/steward/ann"])
    assert both == ViewGrant(sensitive=frozenset({"birth_date", "email"}))
    assert policy.of_viewer(["user:other"]) == NO_VIEW


def test_the_waterfall_shown_is_what_the_command_writes():
    """The page's picture is that of these amounts."""
    amounts = {"family_name": 7.5, "given_name": 5.0, "birth_date": 5.0, "address": -2.0, "phone": -1.0}
    labels = {"family_name": "exact", "given_name": "nickname", "birth_date": "damerau_levenshtein 1"}
    steps, at = [], -13.29
    for name, amount in amounts.items():
        label = labels.get(name, "else")
        steps.append({"name": name, "label": label, "amount": amount, "begins": at, "ends": at + amount})
        at += amount
    balance = {
        "unit": "bits",
        "start": -13.29,
        "speaks_for": steps[:3],
        "speaks_against": steps[3:],
        "total": at,
        "link_from": 2.5,
        "review_from": 0.0,
    }
    assert "\n".join(waterfall_lines(balance, 90, "utf-8")) in PAGE


def test_every_key_is_on_the_page():
    """The page says what each key of ``review next`` does."""
    assert all(f"| `{key}` |" in PAGE for key in ANSWERS if len(key) == 1)
