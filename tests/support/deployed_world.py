"""A deployment on moto that is in order: what `terraform apply` makes, as far as ``mdm-stream doctor`` looks at it."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from typing import Any

import boto3
import orjson

REGION = "eu-central-1"
NAME = "mdm-test"
HOUR_S = 3_600
MAPPING = {
    "batch_size": 500,
    "window_s": 1,
    "parallelization_factor": 1,
    "starting_position": "TRIM_HORIZON",
    "bisect_on_error": True,
    "maximum_record_age_s": 518_400,
    "maximum_retry_attempts": -1,
    "report_batch_item_failures": True,
}
_TRUST = orjson.dumps({"Version": "2012-10-17", "Statement": []}).decode()


@dataclass
class DeployedWorld:
    """The things of a deployment, and the outputs of Terraform about them."""

    key_arn: str = ""
    inventory: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, dict[str, str]] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Return a client of moto."""
        return boto3.client(service, region_name=REGION)

    def outputs(self) -> bytes:
        """Return what `terraform output -json` writes."""
        named = {"inventory": self.inventory, "settings": self.settings}
        return orjson.dumps({name: {"sensitive": False, "value": value} for name, value in named.items()})


def package() -> bytes:
    """Return a zip that is always the same bytes."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr(zipfile.ZipInfo("handler.py"), "def handler(event, context): pass\n")
    return written.getvalue()


def deploy() -> DeployedWorld:
    """Make it, in moto's account."""
    world = DeployedWorld()
    world.key_arn = world.client("kms").create_key()["KeyMetadata"]["Arn"]
    kcl = {**_settings(), "MDM_KCL_STREAM": f"{NAME}-steward", "MDM_KCL_APPLICATION": f"{NAME}-kcl"}
    world.settings = {"resolve": _settings(), "kcl": kcl, "commands": {"MDM_RULES": "person"}}
    world.inventory = {
        "format": 1,
        "name": NAME,
        "kms_key_arn": world.key_arn,
        "streams": _streams(world),
        "buckets": _buckets(world),
        "queues": _queues(world),
        "secrets": _secrets(world),
        "alarms": _alarms(world),
    }
    world.inventory |= _functions(world) | _containers(world)
    return world


def _settings() -> dict[str, str]:
    return {
        "MDM_RULES": "person",
        "MDM_REDIS_URL": "rediss://user@cache.example.org:6379/0?iam=elasticache:mdm-test",
        "MDM_CHANGES_STREAM": f"{NAME}-changes",
        "MDM_GOLDEN_STREAM": f"{NAME}-golden",
        "MDM_QUARANTINE_URL": f"s3://{NAME}-quarantine/quarantine",
        "MDM_ARCHIVE_URL": f"s3://{NAME}-archive/archive",
        "MDM_REDIS_TIMEOUT_S": "5",
        "MDM_EXPIRIES_PER_TICK_MAX": "750",
        "MDM_MERGE_HOLD": "false",
    }


def _streams(world: DeployedWorld) -> dict[str, Any]:
    kinesis = world.client("kinesis")
    found = {}
    for key in ("changes", "golden"):
        name = f"{NAME}-{key}"
        kinesis.create_stream(StreamName=name, ShardCount=2)
        kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=168)
        kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=world.key_arn)
        found[key] = {"name": name, "retention_hours": 168}
    return found


def _buckets(world: DeployedWorld) -> dict[str, str]:
    s3 = world.client("s3")
    found = {key: f"{NAME}-{key}" for key in ("archive", "quarantine")}
    for name in found.values():
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        block = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(block, True))
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": world.key_arn}
        rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=rules)
    return found


def _queues(world: DeployedWorld) -> dict[str, Any]:
    sqs = world.client("sqs")
    name, dead = f"{NAME}-drops", f"{NAME}-drops-dead-letters"
    encrypted = {"KmsMasterKeyId": world.key_arn}
    url = sqs.create_queue(QueueName=dead, Attributes=encrypted)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = orjson.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5}).decode()
    sqs.create_queue(QueueName=name, Attributes={**encrypted, "RedrivePolicy": redrive})
    return {"drops": {"name": name, "dead_letter_name": dead}}


def _secrets(world: DeployedWorld) -> dict[str, str]:
    made = world.client("secretsmanager").create_secret(Name=f"{NAME}/events-api", SecretString="a value, not to see")
    return {"events-api": made["ARN"]}


def _alarms(world: DeployedWorld) -> dict[str, str]:
    found = {f"iterator-age/{key}": f"{NAME}-iterator-age-{key}" for key in ("changes", "golden")}
    for name in found.values():
        world.client("cloudwatch").put_metric_alarm(
            AlarmName=name,
            AlarmDescription="Old. Runbook: docs/operate/runbooks/iterator-age.md",
            ActionsEnabled=True,
            MetricName="IteratorAge",
            Namespace="AWS/Lambda",
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
    return found


def _containers(world: DeployedWorld) -> dict[str, Any]:
    ecs = world.client("ecs")
    ecs.create_cluster(clusterName=NAME)
    environment = [{"name": name, "value": value} for name, value in world.settings["kcl"].items()]
    definition = {"name": "main", "image": "mdm-kcl", "memory": 512, "environment": environment}
    ecs.register_task_definition(family=f"{NAME}-kcl", containerDefinitions=[definition])
    ecs.create_service(cluster=NAME, serviceName=f"{NAME}-kcl", taskDefinition=f"{NAME}-kcl", desiredCount=2)
    return {"cluster": NAME, "services": {"kcl": f"{NAME}-kcl"}}


def _functions(world: DeployedWorld) -> dict[str, Any]:
    functions = world.client("lambda")
    role = world.client("iam").create_role(RoleName=f"{NAME}-resolve", AssumeRolePolicyDocument=_TRUST)["Role"]
    made = functions.create_function(
        FunctionName=f"{NAME}-resolve",
        Runtime="python3.11",
        Role=role["Arn"],
        Handler="handler.handler",
        Code={"ZipFile": package()},
        Environment={"Variables": world.settings["resolve"]},
        KMSKeyArn=world.key_arn,
    )
    stream = world.client("kinesis").describe_stream_summary(StreamName=f"{NAME}-changes")
    mapping = functions.create_event_source_mapping(
        FunctionName=f"{NAME}-resolve",
        EventSourceArn=stream["StreamDescriptionSummary"]["StreamARN"],
        BatchSize=MAPPING["batch_size"],
        MaximumBatchingWindowInSeconds=MAPPING["window_s"],
        ParallelizationFactor=MAPPING["parallelization_factor"],
        StartingPosition=MAPPING["starting_position"],
        BisectBatchOnFunctionError=MAPPING["bisect_on_error"],
        MaximumRecordAgeInSeconds=MAPPING["maximum_record_age_s"],
        MaximumRetryAttempts=MAPPING["maximum_retry_attempts"],
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{NAME}-on-failure"}},
    )
    source = {"function": f"{NAME}-resolve", "stream": f"{NAME}-changes", "settings": MAPPING}
    return {
        "functions": {"resolve": {"name": f"{NAME}-resolve", "code_sha256": made["CodeSha256"]}},
        "event_sources": {"changes": {"uuid": mapping["UUID"], **source}},
    }
