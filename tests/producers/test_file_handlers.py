"""The Lambda handlers of the gatekeeper and its workers, on moto's S3, SQS, SNS, EventBridge and Kinesis."""

from __future__ import annotations

import importlib
import json
import sys
from types import SimpleNamespace

import boto3
import orjson
import pytest
from files_world import DROPS, KEY, RULES, created, people

from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.golden import FILE_LOADED, QUARANTINED
from mdm_stream.errors import ConfigurationError
from producers.files.addresses import FilesSettings

REGION = "us-east-1"
STORE = "loads-of-files"
CONTEXT = SimpleNamespace(
    function_name="files", memory_limit_in_mb=256, invoked_function_arn="arn", aws_request_id="1", function_version="1"
)


class Deployed:
    """Queues, topics, streams and buckets, and handlers that were built from the environment."""

    def __init__(self, s3, monkeypatch, folder):
        client = {name: boto3.client(name, region_name=REGION) for name in ("sqs", "sns", "events", "kinesis")}
        self.s3, self.sqs, self.kinesis = s3, client["sqs"], client["kinesis"]
        for bucket in (STORE, "quarantine"):
            s3.create_bucket(Bucket=bucket)
        self.drops = self.sqs.create_queue(QueueName="drops")["QueueUrl"]
        self.chunks = self.sqs.create_queue(QueueName="chunks")["QueueUrl"]
        self.heard = self.sqs.create_queue(QueueName="heard")["QueueUrl"]
        topic = client["sns"].create_topic(Name="files")["TopicArn"]
        heard_arn = self.sqs.get_queue_attributes(QueueUrl=self.heard, AttributeNames=["QueueArn"])
        heard_arn = heard_arn["Attributes"]["QueueArn"]
        client["sns"].subscribe(TopicArn=topic, Protocol="sqs", Endpoint=heard_arn)
        client["events"].create_event_bus(Name="files")
        client["events"].put_rule(
            Name="held", EventBusName="files", EventPattern=json.dumps({"source": ["mdm-stream.files"]})
        )
        client["events"].put_targets(Rule="held", EventBusName="files", Targets=[{"Id": "1", "Arn": heard_arn}])
        for stream in ("changes", "golden"):
            self.kinesis.create_stream(StreamName=stream, ShardCount=1)
        rules = folder / "vendor.yaml"
        rules.write_text(RULES.format(files="rejected_share_max: 0.2", key="id"))
        environment = {
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "MDM_RULES": str(rules),
            "MDM_FILES_URL": f"s3://{STORE}/prefix",
            "MDM_CHANGES_STREAM": "changes",
            "MDM_GOLDEN_STREAM": "golden",
            "MDM_QUARANTINE_URL": "s3://quarantine",
            "MDM_FILES_QUEUE_URL": self.chunks,
            "MDM_FILES_TOPIC_ARN": topic,
            "MDM_FILES_BUS": "files",
            "MDM_FILES_CHUNK_ROWS": "10",
            "MDM_FILES_DIRECT_BYTES_MAX": "500",
            "POWERTOOLS_TRACE_DISABLED": "true",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        self.gatekeeper, self.worker = (
            _fresh(f"producers.files.{name}").handler for name in ("gatekeeper_handler", "worker_handler")
        )

    def take(self, queue):
        """Take what waits in a queue, as Lambda gives it to a function."""
        answer = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [
            {"messageId": each["MessageId"], "body": each["Body"], "eventSource": "aws:sqs",
             "receiptHandle": each["ReceiptHandle"]}
            for each in answer.get("Messages", [])
        ]  # fmt: skip

    def deliver(self, queue, handler):
        """Have a function do what waits in a queue, and return how many messages it reported as failed; they stay."""
        failed = 0
        while messages := self.take(queue):
            answer = handler({"Records": messages}, CONTEXT)
            names = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
            failed += len(names)
            for message in messages:
                if message["messageId"] not in names:
                    self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["receiptHandle"])
            if names == {message["messageId"] for message in messages}:
                return failed
        return failed

    def manifests(self):
        """Return the manifests that were stored."""
        listed = self.s3.list_objects_v2(Bucket=STORE, Prefix="prefix/loads/").get("Contents", [])
        found = [each["Key"] for each in listed if each["Key"].endswith("/manifest.json")]
        return [
            FileManifest.model_validate_json(self.s3.get_object(Bucket=STORE, Key=key)["Body"].read()) for key in found
        ]

    def records(self, stream):
        """Return what is on a stream."""
        shard = self.kinesis.get_shard_iterator(
            StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
        )
        return [each["Data"] for each in self.kinesis.get_records(ShardIterator=shard["ShardIterator"])["Records"]]


def _fresh(name):
    """Import a handler as a new process does."""
    sys.modules.pop(name, None)
    return importlib.import_module(name)


@pytest.fixture
def deployed(drops, monkeypatch, tmp_path):
    """A deployment of its own."""
    return Deployed(drops, monkeypatch, tmp_path)


def metrics_in(printed):
    """Return the metrics that were printed in EMF, the last of each name."""
    found = {}
    for line in printed.splitlines():
        document = orjson.loads(line) if line.startswith("{") else {}
        for told in document.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in told["Metrics"]:
                found[metric["Name"]] = document[metric["Name"]]
    return found


def test_a_file_goes_through_the_functions(deployed, capsys, caplog):
    """From S3's message over chunks to the change stream, with manifest, notices and metrics; no value is in a log."""
    deployed.s3.put_object(Bucket=DROPS, Key=KEY, Body=people(range(35), "Rosewater") + b"v99,broken\n")
    deployed.sqs.send_message(QueueUrl=deployed.drops, MessageBody=json.dumps(created(KEY)))
    assert deployed.deliver(deployed.drops, deployed.gatekeeper) == 0
    assert deployed.deliver(deployed.chunks, deployed.worker) == 0
    (manifest,) = deployed.manifests()
    assert (manifest.state, manifest.route, manifest.chunks, manifest.rows) == ("done", "chunks", 4, 36)
    assert (manifest.accepted, manifest.rejected, manifest.sent) == (35, 1, 35)
    assert len(deployed.records("changes")) == 35
    fed = [orjson.loads(each) for each in deployed.records("golden")]
    states = [each["data"]["state"] for each in fed if each["type"] == FILE_LOADED]
    assert states == ["validating", "running", "done"]
    (report,) = [each["data"] for each in fed if each["type"] == QUARANTINED]
    assert (report["source"], report["reasons"][0]["code"]) == ("vendor", "ragged_row")
    assert report["location"] == f"s3://quarantine/person/{report['quarantine_id']}.json"
    heard = [json.loads(each["body"]) for each in deployed.take(deployed.heard)]
    notice = json.loads(next(each for each in heard if each.get("Type") == "Notification")["Message"])
    event = next(each for each in heard if "detail-type" in each)
    assert notice == event["detail"]
    assert (event["detail-type"], notice["state"], notice["sent"]) == ("File Load Done", "done", 35)
    printed = capsys.readouterr().out + repr([vars(each) for each in caplog.records])
    assert [each.state for each in caplog.records if each.msg == "load"] == ["validating", "running", "done"]
    told = metrics_in(printed)
    assert (told["FilesDone"], told["FileRowsAccepted"], told["FileRowsRejected"]) == ([1.0], [35.0], [1.0])
    assert "Rosewater" not in printed
    assert "customers.csv" not in printed


def test_a_file_that_is_delivered_again_is_measured_once(deployed, capsys):
    """Rows of a content that is delivered again are not counted again."""
    deployed.s3.put_object(Bucket=DROPS, Key=KEY, Body=people(range(3)))
    deployed.gatekeeper(created(KEY), CONTEXT)
    assert metrics_in(capsys.readouterr().out)["FileRowsAccepted"] == [3.0]
    deployed.s3.put_object(Bucket=DROPS, Key="person/vendor/again.csv", Body=people(range(3)))
    deployed.gatekeeper(created("person/vendor/again.csv"), CONTEXT)
    assert "FileRowsAccepted" not in metrics_in(capsys.readouterr().out)
    states = [orjson.loads(each)["data"]["state"] for each in deployed.records("golden")]
    assert states == ["done", "done"]


def test_a_message_that_fails_is_reported_alone(deployed, capsys, caplog):
    """One message that cannot be done leaves the others of its batch done, and is named to SQS."""
    deployed.s3.put_object(Bucket=DROPS, Key=KEY, Body=people(range(5)))
    records = [
        {"messageId": name, "eventSource": "aws:sqs", "body": body}
        for name, body in (("bad", "{}"), ("good", json.dumps(created(KEY))), ("test", '{"Event": "s3:TestEvent"}'))
    ]
    answer = deployed.gatekeeper({"Records": records}, CONTEXT)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert [each.state for each in deployed.manifests()] == ["done"]
    printed = capsys.readouterr().out
    assert metrics_in(printed)["FileMessagesFailed"] == [1.0]
    assert [each.error for each in caplog.records if each.msg == "message_failed"] == ["UnreadableEventError"]


def test_events_without_a_queue_are_taken_too(deployed):
    """S3 and EventBridge may invoke the gatekeeper themselves; what fails then fails the invocation."""
    deployed.s3.put_object(Bucket=DROPS, Key=KEY, Body=people(range(3)))
    assert deployed.gatekeeper(created(KEY), CONTEXT) == {"batchItemFailures": []}
    detail = {"bucket": {"name": DROPS}, "object": {"key": KEY}}
    bridged = {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}
    assert deployed.gatekeeper(bridged, CONTEXT) == {"batchItemFailures": []}
    assert len(deployed.records("changes")) == 3
    with pytest.raises(Exception, match="no event of S3"):
        deployed.gatekeeper({"nothing": "known"}, CONTEXT)


def test_a_tick_measures_what_waits(deployed, capsys):
    """On a schedule the age of held loads is measured, so that one that everybody forgot raises an alarm."""
    deployed.s3.put_object(Bucket=DROPS, Key=KEY, Body=people(range(2)) + b"v9,x\n")
    deployed.gatekeeper(created(KEY), CONTEXT)
    assert [each.state for each in deployed.manifests()] == ["held"]
    capsys.readouterr()
    deployed.gatekeeper({"source": "mdm.schedule"}, CONTEXT)
    told = metrics_in(capsys.readouterr().out)
    assert (told["FilesWaiting"], told["FilesHeldWaiting"]) == ([1.0], [1.0])
    assert 0 <= told["FileHeldAge"][0] < 600


def test_what_is_not_set_is_named():
    """A function without its settings says which variables it lacks."""
    with pytest.raises(ConfigurationError, match="MDM_FILES_URL"):
        FilesSettings.from_environment({"MDM_RULES": "person"})
