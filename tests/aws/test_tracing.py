"""X-Ray's SDK is loaded by the first invocation that is traced, and by nothing before."""

from __future__ import annotations

import json
import subprocess
import sys

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
    with tracing.part("## part"):
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
