"""The command env: how another program of the same user finds its way into the local stack."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import orjson
import pytest

from mdm_stream.cli.main import run
from mdm_stream.deployment import RunningStack, write_stack
from mdm_stream.local.kinesis.server import KinesisServer

ASK = "import boto3; print(*boto3.client('kinesis').list_streams()['StreamNames'])"


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """The state directory of a running stack with one stream."""
    folder = tmp_path_factory.mktemp("state of it")
    with KinesisServer() as server:
        server.client().create_stream(StreamName="found", ShardCount=1)
        write_stack(folder, RunningStack(server.endpoint_url, "a", "b", "unix:///s", "w", ("person",), server.keys))
        yield folder


def test_a_shell_that_evaluates_it_has_what_any_aws_client_needs(state):
    """Whatever account and profile the shell was set up for, an unchanged boto3 meets the stack."""
    program = shlex.join([sys.executable, "-m", "mdm_stream.cli.main", "env", "--state", str(state)])
    script = f'eval "$({program})" && exec {shlex.join([sys.executable, "-c", ASK])}'
    environment = {**os.environ, "AWS_PROFILE": "company", "AWS_SESSION_TOKEN": "t", "AWS_REGION": "eu-west-1"}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, check=False)
    assert (done.stdout, done.returncode) == (b"found\n", 0), done.stderr.decode()


def test_it_says_the_same_as_a_document(state, capsys):
    """Keys, endpoint, region and the address of the index."""
    assert run(["env", "--state", str(state), "--json"]) == 0
    said = orjson.loads(capsys.readouterr().out)
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION"} <= said.keys()
    assert said["MDM_REDIS_URL"] == "unix:///s"


def test_without_a_stack_it_prints_nothing_that_a_shell_would_take(tmp_path, capsys):
    """What went wrong goes to stderr, and the shell keeps the environment that it had."""
    assert run(["env", "--state", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert (out, "mdm-stream up" in err) == ("", True)
