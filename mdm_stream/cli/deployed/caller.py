"""Who asks, by which clock, and which writes of commands this caller may do: found without a write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mdm_stream.cli.deployed.aws_questions import AwsQuestions, Unanswered
from mdm_stream.cli.deployed.inventory import Inventory
from mdm_stream.cli.machine import Check

CLOCK_S_WARN = 5.0
"""Times of events from here would be wrong by so much; servers that are set by NTP differ by far less."""
CLOCK_S_MAX = 240.0
"""AWS refuses requests that are signed five minutes ago, or in the future."""

_ASSUMED = re.compile(r"^arn:([a-z-]+):sts::([0-9]{12}):assumed-role/([^/]+)/")


class CommandRight(NamedTuple):
    """What a command writes: actions on one resource."""

    command: str
    actions: tuple[str, ...]
    resource: str


def identity(questions: AwsQuestions, inventory: Inventory) -> tuple[Check, str | None]:
    """Return who asks, beside the account that was applied, and the ARN; ``None`` where AWS does not say."""
    try:
        answer = questions.ask("sts", "get_caller_identity", "this caller")
    except Unanswered as found:
        return found.check("caller"), None
    arn, account = str(answer["Arn"]), str(answer["Account"])
    if account != inventory.account_id:
        advice = f"log in to account {inventory.account_id}, or name the outputs of another environment"
        return Check("caller", "failed", f"{arn}, of another account than {inventory.name}", advice), None
    return Check("caller", "ok", f"{arn}, region {inventory.region}"), arn


def clock(questions: AwsQuestions) -> Check:
    """Compare this machine's clock with that of AWS's newest answer, which tells whole seconds."""
    ahead_s = questions.ahead_s
    if ahead_s is None:
        return Check("clock of AWS", "unknown", "no answer of AWS had a time")
    way = "ahead of" if ahead_s > 0 else "behind"
    found = f"{abs(ahead_s):.0f} s {way} AWS"
    if abs(ahead_s) < CLOCK_S_WARN:
        return Check("clock of AWS", "ok", f"within {CLOCK_S_WARN:.0f} s of this machine's")
    advice = "set this machine's clock (NTP): AWS refuses requests that are 5 minutes off, and events bear wrong times"
    return Check("clock of AWS", "failed" if abs(ahead_s) > CLOCK_S_MAX else "warning", found, advice)


def rights_of_commands(inventory: Inventory) -> list[CommandRight]:
    """Return what commands that write need of IAM, by command."""
    streams, buckets = inventory.streams, inventory.buckets
    put = ("kinesis:PutRecord", "kinesis:PutRecords")
    stream = f"arn:{inventory.partition}:kinesis:{inventory.region}:{inventory.account_id}:stream/"
    found = [CommandRight("publish", put, stream + streams["changes"].name)] if "changes" in streams else []
    if "steward" in streams:
        found.append(CommandRight("override, review, dlq redrive", put, stream + streams["steward"].name))
    replace = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")
    objects = {
        "archive": ("rebuild, erase, feed snapshot", (*replace, "s3:DeleteObjectVersion")),
        "quarantine": ("dlq, erase", (*replace, "s3:DeleteObjectVersion")),
        "on_failure": ("dlq", replace),
        "loads": ("loads", replace),
    }
    for key, (command, actions) in objects.items():
        if key in buckets:
            found.append(CommandRight(command, actions, f"arn:{inventory.partition}:s3:::{buckets[key]}/*"))
    key_actions = ("kms:Decrypt", "kms:GenerateDataKey")
    return [*found, CommandRight("all of these", key_actions, inventory.kms_key_arn)]


def rights(questions: AwsQuestions, inventory: Inventory, caller: str) -> Iterator[Check]:
    """Ask IAM what the caller's own policies say; what the policies of a bucket or key add, it does not know."""
    principal = _principal_of(caller)
    if principal is None:
        yield Check("rights", "unknown", f"IAM cannot tell of {caller}", "run this as a role or user of the account")
        return
    for right in rights_of_commands(inventory):
        name = f"rights of {right.command}"
        try:
            answer = questions.ask(
                "iam",
                "simulate_principal_policy",
                principal,
                PolicySourceArn=principal,
                ActionNames=list(right.actions),
                ResourceArns=[right.resource],
            )
        except Unanswered as found:
            yield found.check(name)
            if found.code != "NoSuchEntity":
                return
            continue
        denied = [each["EvalActionName"] for each in answer["EvaluationResults"] if each["EvalDecision"] != "allowed"]
        if denied:
            advice = "have them allowed where this caller is to run those commands"
            yield Check(name, "warning", f"not allowed on {right.resource}: {', '.join(denied)}", advice)
        else:
            yield Check(name, "ok", f"{', '.join(right.actions)} on {right.resource}")


def _principal_of(caller: str) -> str | None:
    """Return the user or role to ask IAM about. A role's path is not in the ARN of its session: most have none."""
    assumed = _ASSUMED.match(caller)
    if assumed:
        return f"arn:{assumed[1]}:iam::{assumed[2]}:role/{assumed[3]}"
    return caller if ":user/" in caller else None
