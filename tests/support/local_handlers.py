"""Handlers that run in consumer processes of the tests. They write what they saw to the file in ``SEEN_FILE``."""

from __future__ import annotations

import base64
import json
import os


def record(event: dict, context: object) -> dict:
    """Append each record's data as a line; a scheduled event as the line ``tick``."""
    with open(os.environ["SEEN_FILE"], "a", encoding="utf-8") as file:  # noqa: PTH123
        if event.get("source") == "mdm.schedule":
            file.write("tick\n")
            return {}
        file.writelines(base64.b64decode(item["kinesis"]["data"]).decode() + "\n" for item in event["Records"])
    return {"batchItemFailures": []}


def forward(event: dict, context: object) -> dict:
    """Put each record on the golden stream, with a client made from nothing but the environment."""
    import boto3  # noqa: PLC0415

    print(json.dumps({"function": context.function_name}))  # noqa: T201 - as structured logs do
    client = boto3.client("kinesis")
    for item in event["Records"]:
        data = base64.b64decode(item["kinesis"]["data"])
        client.put_record(StreamName="mdm-golden", Data=data, PartitionKey=item["kinesis"]["partitionKey"])
    return {"batchItemFailures": []}


def linger(event: dict, context: object) -> dict:
    """Append ``body receive-count`` of each message as a line; one that was received once is then held for a minute."""
    import time  # noqa: PLC0415

    for item in event["Records"]:
        count = item["attributes"]["ApproximateReceiveCount"]
        with open(os.environ["SEEN_FILE"], "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(f"{item['body']} {count}\n")
        if count == "1":
            time.sleep(60)
    return {"batchItemFailures": []}
