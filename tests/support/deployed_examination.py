"""What ``mdm-stream doctor --environment`` finds of a deployment on moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import boto3
import pytest
from botocore.exceptions import ClientError
from deployed_world import NAME, REGION, DeployedWorld, deploy
from moto import mock_aws

from mdm_stream.cli.deployed.aws_questions import AwsQuestions
from mdm_stream.cli.deployed.examine import examine_deployment
from mdm_stream.cli.deployed.inventory import Inventory
from mdm_stream.cli.machine import Check


class PolicySimulator:
    """IAM, whose simulation moto does not have: all is allowed but what is ``denied``."""

    def __init__(self, denied: frozenset[str] = frozenset(), code: str = "") -> None:
        self.denied, self.code, self.asked = denied, code, 0

    def simulate_principal_policy(self, *, PolicySourceArn, ActionNames, ResourceArns):  # noqa: N803 - AWS's names
        """Answer as IAM does, or refuse."""
        assert PolicySourceArn
        assert ResourceArns
        self.asked += 1
        if self.code:
            raise ClientError({"Error": {"Code": self.code, "Message": "not you"}}, "SimulatePrincipalPolicy")
        decided = {True: "implicitDeny", False: "allowed"}
        return {
            "EvaluationResults": [
                {"EvalActionName": each, "EvalDecision": decided[each in self.denied]} for each in ActionNames
            ]
        }


@pytest.fixture
def world(monkeypatch) -> Iterator[DeployedWorld]:
    """A deployment in order."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "MDM_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MOTO_ECS_SERVICE_RUNNING", "2")
    with mock_aws(config={"lambda": {"use_docker": False}}):
        yield deploy()


def questions(iam: object = None, clock_s: Callable[[], float] | None = None, **instead: object) -> AwsQuestions:
    """Return questions to moto, and to other clients where they are named."""
    clients = {"iam": iam or PolicySimulator(), **instead}
    open_client = lambda service: clients.get(service) or boto3.client(service, region_name=REGION)  # noqa: E731
    return AwsQuestions(REGION, open_client, **({"clock_s": clock_s} if clock_s else {}))


def inventory_of(world: DeployedWorld) -> Inventory:
    """Return what the command makes of the world's outputs."""
    return Inventory(**{**world.inventory, "settings": world.settings})


def found_in(world: DeployedWorld, asked: AwsQuestions | None = None, **options: object) -> dict[str, Check]:
    """Return the findings by name."""
    checks = list(examine_deployment(inventory_of(world), questions=asked or questions(), **options))
    assert len({check.name for check in checks}) == len(checks)
    return {check.name: check for check in checks}


def not_ok(found: dict[str, Check]) -> dict[str, str]:
    """Return the status of each finding that is not in order."""
    return {name: check.status for name, check in found.items() if check.status != "ok"}


def fire_alarm(world: DeployedWorld) -> None:
    """Let an alarm be in the state that calls people."""
    world.client("cloudwatch").set_alarm_state(
        AlarmName=f"{NAME}-iterator-age-golden", StateValue="ALARM", StateReason="old"
    )


def remove_stream(world: DeployedWorld) -> None:
    """Remove the golden stream."""
    world.client("kinesis").delete_stream(StreamName=f"{NAME}-golden")
