"""Containers that run all the time: what runs of each service, and its settings beside the code's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from mdm_stream.cli.deployed.aws_questions import AwsQuestions, Unanswered
from mdm_stream.cli.deployed.functions import settings_checks
from mdm_stream.cli.deployed.inventory import Inventory
from mdm_stream.cli.deployed.resources import APPLY, answered
from mdm_stream.cli.machine import Check


def containers(questions: AwsQuestions, inventory: Inventory) -> Iterator[Check]:
    """Yield the state of each service of the cluster, and the settings of those whose image is of the project's."""
    for key, service in sorted(inventory.services.items()):
        seen: dict[str, Any] = {}
        yield answered(f"service {key}", partial(_service, questions, inventory.cluster, key, service, seen))
        applied = inventory.settings.get(key)
        if not seen or applied is None:
            continue
        try:
            environment = _environment(questions, seen["taskDefinition"])
        except Unanswered as found:
            yield found.check(f"settings of {key}")
        else:
            yield from settings_checks(key, environment, applied)


def _service(questions: AwsQuestions, cluster: str, key: str, service: str, seen: dict[str, Any]) -> Check:
    """Return the state of a service, and fill in what AWS says of it."""
    name, answer = (
        f"service {key}",
        questions.ask("ecs", "describe_services", service, cluster=cluster, services=[service]),
    )
    found = [each for each in answer["services"] if each["status"] == "ACTIVE"]
    if not found:
        return Check(name, "failed", f"{service} is not there", APPLY)
    seen.update(found[0])
    running, wanted = seen["runningCount"], seen["desiredCount"]
    said = f"{service}: {running} of {wanted} containers run"
    if running < wanted or not wanted:
        advice = f"see why they stopped: aws ecs describe-services --cluster {cluster} --services {service}"
        return Check(name, "warning" if running else "failed", said, advice)
    return Check(name, "ok", said)


def _environment(questions: AwsQuestions, definition: str) -> dict[str, str]:
    answer = questions.ask("ecs", "describe_task_definition", definition, taskDefinition=definition)
    return {
        each["name"]: each["value"]
        for container in answer["taskDefinition"]["containerDefinitions"]
        for each in container.get("environment", ())
    }
