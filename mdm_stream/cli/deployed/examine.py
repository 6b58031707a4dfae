"""All examinations of a deployment on AWS, in the order in which one depends on the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mdm_stream.cli.deployed.aws_questions import AwsQuestions
from mdm_stream.cli.deployed.caller import clock, identity, rights
from mdm_stream.cli.deployed.containers import containers
from mdm_stream.cli.deployed.functions import functions
from mdm_stream.cli.deployed.index import index
from mdm_stream.cli.deployed.inventory import Inventory
from mdm_stream.cli.deployed.resources import resources
from mdm_stream.cli.machine import Check


def examine_deployment(
    inventory: Inventory, packages: Path | None = None, questions: AwsQuestions | None = None
) -> Iterator[Check]:
    """Yield every finding. Nothing is written anywhere, and no value of a secret is read.

    ``packages``: a folder that `make package` has filled, to compare functions with. Without a caller that AWS knows,
    in the account that was applied, nothing else is asked.
    """
    questions = questions or AwsQuestions(inventory.region)
    caller, arn = identity(questions, inventory)
    yield caller
    yield clock(questions)
    if arn is None:
        return
    yield from rights(questions, inventory, arn)
    yield from resources(questions, inventory)
    yield from functions(questions, inventory, packages)
    yield from containers(questions, inventory)
    yield from index(inventory.settings.get("commands", {}))
