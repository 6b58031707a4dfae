"""``mdm-stream doctor --environment``: settings, rights, clock and index are looked at, and no secret is shown."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from click.testing import CliRunner
from deployed_examination import (
    PolicySimulator,
    fire_alarm,
    found_in,
    inventory_of,
    not_ok,
    questions,
    remove_stream,
    world,
)
from deployed_world import NAME, REGION, DeployedWorld, package

from mdm_stream.cli.commands.doctor import doctor
from mdm_stream.cli.deployed import functions as deployed_functions
from mdm_stream.cli.deployed.caller import CLOCK_S_MAX, CLOCK_S_WARN
from mdm_stream.cli.deployed.examine import examine_deployment
from mdm_stream.cli.deployed.functions import settings_checks
from mdm_stream.cli.deployed.inventory import read_inventory
from mdm_stream.cli.machine import Check
from mdm_stream.cli.main import run
from mdm_stream.core.f_version import f_digest
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import ConfigurationError
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.rules import load_ruleset

__all__ = ["world"]


def configure(world: DeployedWorld, **changed: str) -> dict[str, Check]:
    """Give the function other settings, and return the findings about them."""
    variables = {**world.settings["resolve"], **changed}
    world.client("lambda").update_function_configuration(
        FunctionName=f"{NAME}-resolve", Environment={"Variables": variables}
    )
    return {check.name: check for check in settings_checks("resolve", variables, world.settings["resolve"])}


def test_settings_are_read_as_the_code_reads_them(world):
    """A number that is none, a name that nothing reads, and what was changed by another way than Terraform."""
    checks = list(settings_checks("resolve", {**world.settings["resolve"], "MDM_REDIS_TIMEOUT_S": "five"}, {}))
    assert [check.status for check in checks] == ["failed"]
    assert "MDM_REDIS_TIMEOUT_S should be a valid number" in checks[0].found
    (check,) = settings_checks("resolve", {**world.settings["resolve"], "MDM_REDSI_TIMEOUT_S": "5"}, {})
    assert (check.status, check.found) == ("warning", "MDM_REDSI_TIMEOUT_S is no setting (MDM_REDIS_TIMEOUT_S?)")
    changed = {**world.settings["resolve"], "MDM_NAMESPACE": "not-to-see"}
    (check,) = settings_checks("resolve", changed, world.settings["resolve"])
    assert (check.status, check.found) == ("warning", "not as applied: MDM_NAMESPACE")
    del changed["MDM_NAMESPACE"], changed["MDM_RULES"]
    checks = list(settings_checks("resolve", changed, world.settings["resolve"]))
    assert [check.status for check in checks] == ["failed", "warning"]
    assert checks[0].found == "set MDM_RULES: the resolve consumer needs it"


def test_the_deployed_settings_are_what_is_looked_at(world):
    """Not what Terraform says of them."""
    configure(world, MDM_EXPIRIES_PER_TICK_MAX="many")
    checks = list(examine_deployment(inventory_of(world), questions=questions()))
    of_settings = [check.status for check in checks if check.name == "settings of resolve"]
    assert of_settings == ["failed", "warning"]


def test_every_function_of_a_deployment_has_its_settings_here():
    """By the names that the inventory has for functions: none is left without a look at its settings."""
    assert set(deployed_functions.KINDS) == {
        "resolve", "warehouse", "events-api", "files-gatekeeper", "files-worker", "kcl", "kcl-steward"
    }  # fmt: skip
    snowflake = {"MDM_WAREHOUSE_KIND": "snowflake", "MDM_WAREHOUSE_SNOWFLAKE_ACCOUNT": "org"}
    (check,) = settings_checks("warehouse", snowflake, {})
    assert check.status == "failed"
    assert "MDM_WAREHOUSE_SNOWFLAKE_USER" in check.found
    (check,) = settings_checks("warehouse", {"MDM_WAREHOUSE_KIND": "duckdb"}, {})
    assert check.status == "ok"


def test_packages_that_were_built_are_compared(world, tmp_path):
    """The same tree gives the same bytes, so a function runs this release or another one."""
    (tmp_path / "resolve-arm64.zip").write_bytes(package())
    found = found_in(world, packages=tmp_path)
    assert found["package of resolve"].found == "the function runs resolve-arm64.zip"
    (tmp_path / "resolve-arm64.zip").write_bytes(b"another release")
    assert found_in(world, packages=tmp_path)["package of resolve"].status == "warning"


def test_rights_that_are_missing_are_named(world):
    """Nothing is written to find out. What IAM does not tell is not known, and asked once."""
    found = found_in(world, questions(PolicySimulator(frozenset({"s3:DeleteObjectVersion"}))))
    assert not_ok(found) == {"rights of dlq, erase": "warning", "rights of rebuild, erase, feed snapshot": "warning"}
    assert found["rights of dlq, erase"].found == (
        f"not allowed on arn:aws:s3:::{NAME}-quarantine/*: s3:DeleteObjectVersion"
    )
    refusing = PolicySimulator(code="AccessDenied")
    found = found_in(world, questions(refusing))
    assert not_ok(found) == {"rights of publish": "unknown"}
    assert "iam:SimulatePrincipalPolicy" in found["rights of publish"].found
    assert refusing.asked == 1


class Refused:
    """A client of a service that refuses or cannot be reached, whatever is asked."""

    def __init__(self, error: Exception) -> None:
        self.error, self.asked = error, 0

    def __getattr__(self, operation):
        def refuse(**_request):
            self.asked += 1
            raise self.error

        return refuse


def denied(operation: str) -> ClientError:
    """Return AWS's refusal, whose message is not to be shown."""
    return ClientError({"Error": {"Code": "AccessDenied", "Message": "a value of a record"}}, operation)


def test_a_refusal_is_a_line_that_names_right_and_resource(world):
    """Never a stack trace, nor AWS's message; what could not be looked at has not failed."""
    found = found_in(world, questions(s3=Refused(denied("x")), kinesis=Refused(denied("x"))))
    assert not_ok(found) == dict.fromkeys(
        ("bucket archive", "bucket quarantine", "stream changes", "stream golden"), "unknown"
    )
    assert "s3:GetBucketVersioning on mdm-test-archive" in found["bucket archive"].found
    assert "kinesis:DescribeStreamSummary on mdm-test-golden" in found["stream golden"].found
    assert "value of a record" not in str(found)


def test_a_service_that_is_not_reached_is_waited_for_once(world):
    """Each further question about it would wait as long again."""
    away = Refused(EndpointConnectionError(endpoint_url="https://kinesis.example.org"))
    found = found_in(world, questions(kinesis=away))
    assert not_ok(found) == {"stream changes": "unknown", "stream golden": "unknown"}
    assert away.asked == 1
    assert "EndpointConnectionError" in found["stream golden"].found


def test_without_a_caller_nothing_else_is_asked(world):
    """A caller that AWS does not know, and one of another account."""
    error = ClientError({"Error": {"Code": "ExpiredToken", "Message": ""}}, "GetCallerIdentity")
    assert not_ok(found_in(world, questions(sts=Refused(error)))) == {"caller": "failed", "clock of AWS": "unknown"}
    world.inventory["kms_key_arn"] = world.key_arn.replace("123456789012", "210987654321")
    found = found_in(world)
    assert not_ok(found) == {"caller": "failed"}
    assert "210987654321" in found["caller"].advice
    assert len(found) == 2


@pytest.mark.parametrize(
    ("ahead_s", "status"),
    [(0, "ok"), (-CLOCK_S_WARN - 2, "warning"), (CLOCK_S_WARN + 2, "warning"), (CLOCK_S_MAX + 60, "failed")],
)
def test_the_clock_is_compared_with_that_of_aws(world, ahead_s, status):
    """By the time that AWS's answers bear."""

    def clock_s() -> float:
        return (datetime.now(UTC) + timedelta(seconds=ahead_s)).timestamp()

    check = found_in(world, questions(clock_s=clock_s))["clock of AWS"]
    assert check.status == status
    assert ("ahead of" in check.found) == (ahead_s > CLOCK_S_WARN)


def test_a_clock_that_aws_refuses_is_still_compared(world):
    """The refusal bears AWS's time, and says itself nothing that helps."""
    refusal = ClientError(
        {
            "Error": {"Code": "SignatureDoesNotMatch", "Message": "Signature expired"},
            "ResponseMetadata": {"HTTPHeaders": {"date": "Sun, 01 Mar 2026 12:00:00 GMT"}},
        },
        "GetCallerIdentity",
    )
    found = found_in(world, questions(sts=Refused(refusal), clock_s=lambda: 1_772_366_400.0 + 900))
    assert found["clock of AWS"].status == "failed"
    assert found["clock of AWS"].found == "900 s ahead of AWS"


def test_the_index_is_looked_at_by_the_settings_of_commands(world):
    """A cache that cannot be reached has failed; one with an index says by which F it was built."""
    world.settings["commands"]["MDM_REDIS_URL"] = "redis://127.0.0.1:1/0"
    assert not_ok(found_in(world)) == {"index server": "failed"}
    with RedisServer() as server:
        world.settings["commands"]["MDM_REDIS_URL"] = server.url
        assert not_ok(found_in(world)) == {"epoch of person": "warning"}
        rules = load_ruleset("person")
        assert Engine(rules, RedisIndex(server.client(), rules)).process([]).failed == []
        check = found_in(world)["epoch of person"]
        assert (check.status, check.found) == ("ok", f"of these rules and this F ({f_digest()})")


def ask(world: DeployedWorld, monkeypatch, *options: str, outputs: bytes | None = None) -> tuple[int, str]:
    """Run the command on the world's outputs, by stdin."""
    monkeypatch.setattr("mdm_stream.cli.deployed.examine.AwsQuestions", lambda _region: questions())
    given = world.outputs() if outputs is None else outputs
    done = CliRunner().invoke(doctor, ["--environment", "-", *options], input=given)
    return done.exit_code, done.output


def test_the_command_shows_every_line_and_ends_by_what_failed(world, monkeypatch):
    """Exit code 0 in order, 1 if something failed; one document with --json; no value of a secret or a text."""
    code, shown = ask(world, monkeypatch)
    assert code == 0, shown
    fire_alarm(world)
    code, shown = ask(world, monkeypatch)
    assert code == 0, "a warning is no failure"
    assert "WARNING            alarm iterator-age-golden" in shown
    assert "-> see docs/operate/runbooks/iterator-age.md" in shown
    remove_stream(world)
    code, shown = ask(world, monkeypatch, "--json")
    assert code == 1
    document = orjson.loads(shown)
    assert not document["ok"]
    assert {check["status"] for check in document["checks"]} == {"ok", "warning", "failed"}
    assert "not to see" not in shown
    assert "cache.example.org" not in shown


def test_an_inventory_is_read_from_a_file_or_with_terraform(world, tmp_path, monkeypatch):
    """A folder is one in which `terraform output` is run."""
    (tmp_path / "outputs.json").write_bytes(world.outputs())
    assert read_inventory(str(tmp_path / "outputs.json")).name == NAME
    program = tmp_path / "terraform"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/outputs.json\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert read_inventory(str(tmp_path)).region == REGION
    program.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(ConfigurationError, match="exit code 3"):
        read_inventory(str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(ConfigurationError, match="terraform is not on PATH"):
        read_inventory(str(tmp_path))


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (b"no JSON", "is no JSON"),
        (b"{}", "has no outputs inventory and settings"),
        (b'{"inventory": {"value": {"format": 1}}, "settings": {"value": {}}}', "of another release: name"),
        (b'{"inventory": {"value": "x"}, "settings": {"value": {}}}', "of another release"),
    ],
)
def test_what_is_no_inventory_says_so(outputs, said, monkeypatch):
    """With what to do, and nothing of its values."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(outputs)))
    with pytest.raises(ConfigurationError, match=said):
        read_inventory("-")


def test_an_inventory_of_another_format_is_refused(world, tmp_path):
    """It may mean other things by the same names."""
    world.inventory["format"] = 2
    (tmp_path / "outputs.json").write_bytes(world.outputs())
    with pytest.raises(ConfigurationError, match="format 2, this release reads 1"):
        read_inventory(str(tmp_path / "outputs.json"))


def test_a_wrong_call_says_what_is_wrong(tmp_path, capsys):
    """A file that is not there, and packages without a deployment to compare them with."""
    assert run(["doctor", "--environment", str(tmp_path / "none.json")]) == 2
    assert "cannot read" in capsys.readouterr().err
    assert run(["doctor", "--packages", str(tmp_path)]) == 2
    assert "--packages needs --environment" in capsys.readouterr().err
