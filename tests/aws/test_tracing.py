"""X-Ray's SDK is loaded by the first invocation that is traced; its segments are a batch's stages, without values."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import Any

import pytest
from source_tree import ROOT

SCRIPT = """
import json, os, sys
from types import SimpleNamespace
from mdm_stream.aws.tracing import Tracing

os.environ.update(LAMBDA_TASK_ROOT="/var/task", AWS_XRAY_DAEMON_ADDRESS="127.0.0.1:1")
tracing = Tracing("resolve")

@tracing.of_handler
def handler(event, context):
    with tracing.batch("part", {}), tracing.stage("read"):
        if event.get("fails"):
            raise ValueError("it fails")
        return {"is": event["is"]}

told = []
for trace in sys.argv[1:]:
    os.environ["_X_AMZN_TRACE_ID"] = trace
    told.append([handler({"is": 1}, SimpleNamespace())["is"], "aws_xray_sdk" in sys.modules])
try:
    handler({"fails": True}, SimpleNamespace())
except ValueError as error:
    told.append(str(error))
print(json.dumps([handler.__name__, told]))
"""
SAMPLED = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
PASSED_OVER = SAMPLED.replace("Sampled=1", "Sampled=0")


@pytest.mark.parametrize(
    ("environment", "traces", "loaded"),
    [
        ({}, ["", PASSED_OVER], [False, False]),
        ({}, [PASSED_OVER, SAMPLED, PASSED_OVER], [False, True, True]),
        ({"POWERTOOLS_TRACE_DISABLED": "true"}, [SAMPLED], [False]),
    ],
)
def test_the_sdk_is_loaded_with_the_first_traced_invocation(environment, traces, loaded):
    """And answer and errors are those of the handler, traced or not."""
    command = [sys.executable, "-c", SCRIPT, *traces]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["handler", [*([1, each] for each in loaded), "it fails"]]


STAGES = """
import os, sys
from types import SimpleNamespace
from mdm_stream.aws.tracing import Tracing

tracing = Tracing("resolve")
facts = {"shard": "shardId-000000000000", "first": "5", "last": "9", "records": 5, "given_name": "Wilhelmina"}

@tracing.of_handler
def handler(event, context):
    with tracing.batch("resolve", facts) as note:
        for stage in ("decode", "read", "plan", "commit", "archive", "publish"):
            with tracing.stage(stage):
                pass
        note({"changes": 3})
        with tracing.stage("publish"):
            raise ValueError("Wilhelmina")

os.environ["_X_AMZN_TRACE_ID"] = sys.argv[1]
try:
    handler({}, SimpleNamespace())
except ValueError:
    pass
"""


def segments_of(trace: str) -> list[dict[str, Any]]:
    """Return the segments that the daemon gets of an invocation with a batch."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(0.2)
        address = f"127.0.0.1:{daemon.getsockname()[1]}"
        environment = {"LAMBDA_TASK_ROOT": "/var/task", "AWS_XRAY_DAEMON_ADDRESS": address}
        command = [sys.executable, "-c", STAGES, trace]
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=120, check=True)
        found = []
        try:
            while True:
                header, _, segment = daemon.recv(65_535).partition(b"\n")
                assert json.loads(header) == {"format": "json", "version": 1}
                found.append(json.loads(segment))
        except TimeoutError:
            return found


def test_the_stages_of_a_traced_batch_are_subsegments_of_it() -> None:
    """With place and counts to search by, what each stage took to read, and of an error nothing but its type."""
    segments = segments_of(SAMPLED)
    by_name = {segment["name"]: segment for segment in segments}
    batch = by_name["resolve"]
    names = [segment["name"] for segment in segments if segment.get("parent_id") == batch["id"]]
    assert names == ["decode", "read", "plan", "commit", "archive", "publish", "publish"]
    assert batch["annotations"] == {
        "shard": "shardId-000000000000",
        "first": "5",
        "last": "9",
        "records": 5,
        "changes": 3,
    }
    assert batch["metadata"]["mdm_stream"]["stages"].items() >= {"publish_times": 2, "read_times": 1}.items()
    assert by_name["publish"]["cause"]["exceptions"][0]["type"] == "ValueError"
    assert "Wilhelmina" not in json.dumps(segments)


def test_an_invocation_that_is_not_sampled_has_no_segments() -> None:
    """Its stages are not timed either."""
    assert segments_of(PASSED_OVER) == []
