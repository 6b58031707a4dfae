"""The key, streams, buckets, queues, secrets and alarms of a deployment, each beside what it has to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import orjson

from mdm_stream.cli.deployed.aws_questions import AwsQuestions, Unanswered
from mdm_stream.cli.deployed.inventory import DeployedQueue, DeployedStream, Inventory
from mdm_stream.cli.machine import Check

APPLY = "apply the environment again: terraform plan shows it"
_BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
_RUNBOOKS = "docs/operate/runbooks"


def resources(questions: AwsQuestions, inventory: Inventory) -> Iterator[Check]:
    """Yield a finding for each thing, what everything else depends on first."""
    yield answered("key", partial(_key, questions, inventory))
    for key, stream in sorted(inventory.streams.items()):
        name = f"stream {key}"
        yield answered(name, partial(_stream, questions, inventory, name, stream))
    for key, bucket in sorted(inventory.buckets.items()):
        name = f"bucket {key}"
        yield answered(name, partial(_bucket, questions, inventory, name, bucket))
    for key, queue in sorted(inventory.queues.items()):
        name = f"queue {key}"
        yield answered(name, partial(_queue, questions, inventory, name, queue))
    for key, arn in sorted(inventory.secrets.items()):
        name = f"secret {key}"
        yield answered(name, partial(_secret, questions, name, arn))
    yield from _alarms(questions, inventory)


def answered(name: str, look: Callable[[], Check]) -> Check:
    """Return what a look finds, or the line that says why it was not answered."""
    try:
        return look()
    except Unanswered as found:
        return found.check(name)


def verdict(name: str, faults: list[str], found: str, advice: str = APPLY) -> Check:
    """Return a finding that has failed for its faults, or is in order."""
    return Check(name, "failed", "; ".join(faults), advice) if faults else Check(name, "ok", found)


def _is_key(named: object, inventory: Inventory) -> bool:
    return str(named).rpartition("/")[2] == inventory.kms_key_arn.rpartition("/")[2]


def _key(questions: AwsQuestions, inventory: Inventory) -> Check:
    arn = inventory.kms_key_arn
    state = questions.ask("kms", "describe_key", arn, KeyId=arn)["KeyMetadata"]["KeyState"]
    if state != "Enabled":
        advice = f"nothing can be read without it: aws kms enable-key (or cancel-key-deletion) --key-id {arn}"
        return Check("key", "failed", f"{arn} is {state}", advice)
    return Check("key", "ok", f"{arn} is enabled")


def _stream(questions: AwsQuestions, inventory: Inventory, name: str, stream: DeployedStream) -> Check:
    answer = questions.ask("kinesis", "describe_stream_summary", stream.name, StreamName=stream.name)
    seen = answer["StreamDescriptionSummary"]
    status, hours = seen["StreamStatus"], seen["RetentionPeriodHours"]
    faults = []
    if status not in {"ACTIVE", "UPDATING"}:
        faults.append(f"{stream.name} is {status}")
    if seen.get("EncryptionType") != "KMS" or not _is_key(seen.get("KeyId"), inventory):
        faults.append(f"{stream.name} is not encrypted by the deployment's key")
    if hours < stream.retention_hours:
        faults.append(f"{stream.name} keeps records for {hours} h, and {stream.retention_hours} h were applied")
    return verdict(
        name, faults, f"{stream.name} is {status}, {seen['OpenShardCount']} open shards, keeps {hours} h, encrypted"
    )


def _bucket(questions: AwsQuestions, inventory: Inventory, name: str, bucket: str) -> Check:
    faults = []
    if questions.ask("s3", "get_bucket_versioning", bucket, Bucket=bucket).get("Status") != "Enabled":
        faults.append(f"{bucket} keeps no versions: an overwritten object is lost")
    blocks = questions.unset("s3", "get_public_access_block", bucket, Bucket=bucket)
    if not all(blocks.get("PublicAccessBlockConfiguration", {}).get(each) for each in _BLOCKS):
        faults.append(f"{bucket} may become public")
    encryption = questions.unset("s3", "get_bucket_encryption", bucket, Bucket=bucket)
    rules = encryption.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    if not any(_is_rule_of_key(rule, inventory) for rule in rules):
        faults.append(f"{bucket} is not encrypted by the deployment's key by default")
    return verdict(name, faults, f"{bucket}: versions, encryption and public access block")


def _is_rule_of_key(rule: dict[str, Any], inventory: Inventory) -> bool:
    default = rule.get("ApplyServerSideEncryptionByDefault", {})
    return str(default.get("SSEAlgorithm", "")).startswith("aws:kms") and _is_key(
        default.get("KMSMasterKeyID"), inventory
    )


def _queue(questions: AwsQuestions, inventory: Inventory, name: str, queue: DeployedQueue) -> Check:
    own, dead = (_attributes(questions, each) for each in (queue.name, queue.dead_letter_name))
    redrive = orjson.loads(own.get("RedrivePolicy") or "{}")
    faults = []
    if str(redrive.get("deadLetterTargetArn", "")).rpartition(":")[2] != queue.dead_letter_name:
        faults.append(f"{queue.name} does not send what fails to {queue.dead_letter_name}: it would be lost")
    faults += [
        f"{each} is not encrypted by the deployment's key"
        for each, attributes in ((queue.name, own), (queue.dead_letter_name, dead))
        if not _is_key(attributes.get("KmsMasterKeyId"), inventory)
    ]
    letters, waiting = (int(each.get("ApproximateNumberOfMessages", 0)) for each in (dead, own))
    found = f"{queue.name}: {waiting:,} messages wait, {letters:,} dead letters"
    if letters and not faults:
        return Check(name, "warning", found, f"see {_RUNBOOKS}/dead-letters.md")
    return verdict(name, faults, found)


def _attributes(questions: AwsQuestions, queue: str) -> dict[str, str]:
    url = questions.ask("sqs", "get_queue_url", queue, QueueName=queue)["QueueUrl"]
    answer = questions.ask("sqs", "get_queue_attributes", queue, QueueUrl=url, AttributeNames=["All"])
    found: dict[str, str] = answer.get("Attributes", {})
    return found


def _secret(questions: AwsQuestions, name: str, arn: str) -> Check:
    """Look at the stages of a secret's versions, and never at its value."""
    seen = questions.ask("secretsmanager", "describe_secret", arn, SecretId=arn)
    if seen.get("DeletedDate"):
        return Check(name, "failed", f"{arn} is to be deleted", "aws secretsmanager restore-secret, or apply again")
    stages = {stage for each in seen.get("VersionIdsToStages", {}).values() for stage in each}
    if "AWSCURRENT" not in stages:
        advice = "put a value into it: the process that reads it does not work before (docs/operate/terraform.md)"
        return Check(name, "failed", f"{arn} is empty", advice)
    return Check(name, "ok", f"{arn} has a value")


def _alarms(questions: AwsQuestions, inventory: Inventory) -> Iterator[Check]:
    prefix = f"{inventory.name}-"
    try:
        seen = {
            alarm["AlarmName"]: alarm
            for page in questions.pages("cloudwatch", "describe_alarms", f"{prefix}*", "NextToken",
                                        AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"])
            for alarm in page.get("MetricAlarms", [])
        }  # fmt: skip
    except Unanswered as found:
        yield found.check("alarms")
        return
    wanted = set(inventory.alarms.values())
    faults = [f"{name} is not there" for name in sorted(wanted - set(seen))]
    faults += [
        f"{name} has its actions switched off"
        for name in sorted(wanted & set(seen))
        if not seen[name].get("ActionsEnabled")
    ]
    without_data = sum(1 for alarm in seen.values() if alarm["StateValue"] == "INSUFFICIENT_DATA")
    yield verdict("alarms", faults, f"{len(wanted)} are there; {without_data} of them have no data yet")
    for name in sorted(seen):
        if seen[name]["StateValue"] == "ALARM":
            _, _, runbook = str(seen[name].get("AlarmDescription", "")).rpartition("Runbook: ")
            yield Check(f"alarm {name.removeprefix(prefix)}", "warning", "is in ALARM", f"see {runbook}")
