"""Where files arrive on the local stack: the drop bucket, queues with their dead-letter queues, and the topic.

They live in the memory of the stack's API and are made anew at each start. What must last is elsewhere: the files in
the drop folder, and loads in their store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.errors import TransientError
from mdm_stream.local.kinesis.server import KinesisServer

DROP_BUCKET = "mdm-drop"
FILES_QUEUE = "mdm-files"
CHUNKS_QUEUE = "mdm-file-chunks"
FILES_TOPIC = "mdm-files"
NOTICES_QUEUE = "mdm-file-notices"
"""What the topic sends, for the window of `up`."""
DEAD = "-dead"
"""What the name of a queue's dead-letter queue ends with."""

VISIBILITY_TIMEOUT_S = 120
"""After which a message of a process that was killed is delivered again: twice what a function may take."""
FUNCTION_TIMEOUT_S = 60.0
RECEIPTS_MAX = 5
"""Deliveries of one message before it goes to the dead-letter queue."""


@dataclass(frozen=True, slots=True)
class FilePlaces:
    """Addresses of what files need; each dead-letter queue is of the queue before it."""

    bucket: str
    files_queue_url: str
    files_dead_url: str
    chunks_queue_url: str
    chunks_dead_url: str
    notices_queue_url: str
    topic_arn: str


def make_places(
    server: KinesisServer, *, visibility_timeout_s: int = VISIBILITY_TIMEOUT_S, receipts_max: int = RECEIPTS_MAX
) -> FilePlaces:
    """Make bucket, queues and topic, and have the bucket's notifications sent to its queue; ``TransientError`` if not.

    The bucket keeps versions, as that of a deployment should: what was notified can be read after it was overwritten.
    """
    sqs, s3, sns = server.client("sqs"), server.client("s3"), server.client("sns")
    try:
        files, files_dead = _make_queue(sqs, FILES_QUEUE, visibility_timeout_s, receipts_max)
        chunks, chunks_dead = _make_queue(sqs, CHUNKS_QUEUE, visibility_timeout_s, receipts_max)
        notices = sqs.create_queue(QueueName=NOTICES_QUEUE)["QueueUrl"]
        s3.create_bucket(Bucket=DROP_BUCKET)
        s3.put_bucket_versioning(Bucket=DROP_BUCKET, VersioningConfiguration={"Status": "Enabled"})
        notified = {"QueueArn": queue_arn(sqs, files), "Events": ["s3:ObjectCreated:*"]}
        s3.put_bucket_notification_configuration(
            Bucket=DROP_BUCKET, NotificationConfiguration={"QueueConfigurations": [notified]}
        )
        topic_arn = sns.create_topic(Name=FILES_TOPIC)["TopicArn"]
        sns.subscribe(
            TopicArn=topic_arn,
            Protocol="sqs",
            Endpoint=queue_arn(sqs, notices),
            Attributes={"RawMessageDelivery": "true"},
        )
    except (BotoCoreError, ClientError) as error:
        raise TransientError(f"the places of files cannot be made: {type(error).__name__}") from error
    return FilePlaces(DROP_BUCKET, files, files_dead, chunks, chunks_dead, notices, topic_arn)


def queue_arn(sqs: Any, url: str) -> str:
    """Return the ARN of a queue."""
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


def messages_in(sqs: Any, url: str) -> int:
    """Return how many messages a queue holds, visible or not; ``TransientError`` if that cannot be asked.

    The two counts are taken one after the other, and a message that becomes visible in between is in neither: a zero
    counts when it was found twice.
    """
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    try:
        asked = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] for _ in range(2)]
    except (BotoCoreError, ClientError) as error:
        raise TransientError(f"the queue {url} cannot be asked: {type(error).__name__}") from error
    return max(sum(map(int, each.values())) for each in asked)


def _make_queue(sqs: Any, name: str, visibility_timeout_s: int, receipts_max: int) -> tuple[str, str]:
    dead = sqs.create_queue(QueueName=f"{name}{DEAD}")["QueueUrl"]
    policy = {"deadLetterTargetArn": queue_arn(sqs, dead), "maxReceiveCount": receipts_max}
    attributes = {"VisibilityTimeout": str(visibility_timeout_s), "RedrivePolicy": orjson.dumps(policy).decode()}
    return str(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]), str(dead)
