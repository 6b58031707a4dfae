"""The command erase on stores that are named one by one: what it asks for, what it says, how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
import redis
from click.testing import CliRunner, Result
from erase_world import REF, RULE_FILES, World, upsert

from mdm_stream.cli import erase_options
from mdm_stream.cli.main import cli, run
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.settings import ResolveSettings

pytestmark = pytest.mark.one_redis

MARKER = "Markermund"


class Stores:
    """The stores of a world, and the options that name them."""

    def __init__(self, world: World, arguments: list[str]) -> None:
        self.world, self.arguments = world, arguments

    def erase(self, *argv: str, answer: str | None = None) -> Result:
        """Run the command on them."""
        return CliRunner().invoke(cli, ["erase", *argv, *self.arguments], input=answer, standalone_mode=False)


@pytest.fixture
def stores(
    server: KinesisServer,
    redis_client: redis.Redis,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Stores:
    """Stores with a person of two systems in them, whose consumers run whenever the command has put something there."""
    world = World(server.client(), redis_client, tmp_path)
    world.send(upsert(city=MARKER), upsert("erp/1"))
    tell = erase_options._tell

    def tell_and_consume(*arguments: Any) -> None:
        tell(*arguments)
        world.consume()

    monkeypatch.setattr(erase_options, "_tell", tell_and_consume)
    return Stores(world, world.options(redis_url, server.endpoint_url))


def document(result: Result, code: int) -> dict[str, Any]:
    """Return what a command wrote as JSON."""
    assert (result.exception, result.return_value) == (None, code), result.output
    found = orjson.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def test_erase_and_verify(stores: Stores) -> None:
    """Streams that nobody can shorten make exit code 1, with the time until when; verify says the same, later too."""
    said = document(stores.erase(REF, "--reason", "asked for", "--yes", "--grace", "0", "--json"), 1)
    assert {each["store"] for each in said["left"]} == {"change_stream", "golden_feed"}
    assert all(each["until"].endswith("Z") for each in said["left"])
    assert said["stores"]["archive"] == {"found": 1, "removed": 1, "left": 0, "left_until": None}
    assert Path(said["kept_at"]).is_file()
    verified = document(stores.erase(REF, "--verify", "--values-file", "-", "--json", answer=f"{MARKER}\nAnna\n"), 1)
    assert verified["left"] == said["left"]
    assert (verified["values_searched"], verified["values_shared"], verified["values_too_short"]) == (1, 0, 1)
    shown = stores.erase(REF, "--verify")
    assert shown.return_value == 1
    assert "change_stream" in shown.output
    assert MARKER not in shown.output + orjson.dumps(said).decode()


def test_people_are_shown_what_they_need(stores: Stores) -> None:
    """It asks first, naming the records; the receipt is a table, and says what it does not cover."""
    refused = stores.erase(REF, "--reason", "asked for", answer="n\n")
    assert "nothing was done" in str(refused.exception)
    assert len(stores.world.archive.objects("person")) == 1
    done = stores.erase("erp/1", "--all-members", "--reason", "asked for", "--grace", "0", answer="y\n")
    assert done.return_value == 1, done.output
    assert f"  {REF}\n  erp/1\n" in done.stderr
    assert "Erased 2 records of domain person" in done.output
    assert "Backups" in done.output
    assert "goes by itself" in done.output
    assert MARKER not in done.output


def test_a_key_that_nobody_has_heard_of_is_asked_about(stores: Stores) -> None:
    """A typo would refuse somebody's record for ever; it can be meant, though."""
    refused = stores.erase("crm/typo", "--reason", "asked for", "--yes")
    assert "nothing was ever heard of crm/typo" in str(refused.exception)
    said = document(
        stores.erase("crm/typo", "--reason", "r", "--yes", "--grace", "0", "--even-if-unknown", "--json"), 0
    )
    assert said["complete"]
    stores.world.send(upsert("crm/typo", family_name=MARKER))
    verified = document(stores.erase("crm/typo", "--verify", "--json"), 1)
    assert [each["store"] for each in verified["left"]] == ["change_stream"]


@pytest.mark.parametrize(
    "argv",
    [
        [REF],
        [REF, "--reason", ""],
        [REF, "--reason", "r", "--verify"],
        [REF, "--verify", "--all-members"],
        ["no-slash", "--verify"],
        [REF, "--verify", "--values-file", "absent"],
        [REF, "--verify", "--state", "absent"],
        [REF, "--verify", "--redis", "redis://127.0.0.1:1/0"],
    ],
    ids=["nothing to do", "no reason", "both", "members", "key", "values", "stack", "stores"],
)
def test_wrong_usage_is_exit_code_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """And a sentence."""
    assert run(["erase", *argv]) == 2
    assert capsys.readouterr().err


def test_every_store_has_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    """One that is left out by mistake would be one that nobody looks into."""
    assert run(["erase", REF, "--verify", "--redis", "redis://127.0.0.1:1/0", "--archive", "a"]) == 2
    said = capsys.readouterr().err
    for option in (
        "changes-stream",
        "steward-stream",
        "golden-stream",
        "quarantine",
        "on-failure",
        "rules",
        "warehouse",
    ):
        assert f"--{option}" in said
    assert "--archive" not in said


def test_the_consumers_settings_name_the_stores(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --environment all but the on-failure destination come from the variables that the consumers have."""
    options = dict(zip(stores.arguments[::2], stores.arguments[1::2], strict=True))
    folder = stores.world.folder
    settings = ResolveSettings(
        rules=",".join(RULE_FILES),
        redis_url=options["--redis"],
        changes_stream=options["--changes-stream"],
        steward_stream=options["--steward-stream"],
        golden_stream=options["--golden-stream"],
        quarantine_url=(folder / "quarantine").as_uri(),
        archive_url=(folder / "archive").as_uri(),
        kinesis_endpoint_url=options["--endpoint"],
    )
    for name, value in settings.to_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MDM_WAREHOUSE_DUCKDB_PATH", options["--warehouse"])
    result = CliRunner().invoke(
        cli,
        ["erase", REF, "--verify", "--environment", "--domain", "person", "--on-failure", "none", "--json"],
        standalone_mode=False,
    )
    stores = {each["store"] for each in document(result, 1)["left"]}
    assert stores == {"index", "archive", "warehouse", "change_stream", "golden_feed"}
