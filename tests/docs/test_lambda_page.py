"""The page of the functions gives the times that the code keeps, and commands that exist."""

from __future__ import annotations

import re

from click.testing import CliRunner
from source_tree import ROOT

from mdm_stream.aws.clients import aws_client
from mdm_stream.aws.deadline import call_s_of
from mdm_stream.cli.commands.archive import archive
from mdm_stream.contracts.invocation import TICK_SOURCE, UnknownInvocationError
from mdm_stream.deployment import OBJECT_ATTEMPTS_MAX
from mdm_stream.resolve.resolver import ANSWER_S
from mdm_stream.settings import ResolveSettings

PAGE = (ROOT / "docs" / "operate" / "lambda.md").read_text("utf-8")


def begin_s(redis_s: float, aws_s: float) -> float:
    """The time that a batch needs to begin."""
    kinesis = call_s_of(aws_client("kinesis", region="eu-west-1", timeout_s=aws_s, attempts=1))
    s3 = call_s_of(aws_client("s3", region="eu-west-1", timeout_s=aws_s, attempts=OBJECT_ATTEMPTS_MAX))
    return ANSWER_S + 2 * redis_s + kinesis + s3


def test_the_times_are_those_of_the_code():
    """By default, and with the shorter time-outs that the page names."""
    fields = ResolveSettings.model_fields
    assert f"**{begin_s(fields['redis_timeout_s'].default, fields['aws_timeout_s'].default):g} s** by default" in PAGE
    redis_s, aws_s = map(float, re.findall(r"`MDM_(?:REDIS|AWS)_TIMEOUT_S=(\d+)`", PAGE))
    assert f"begins with\n{begin_s(redis_s, aws_s):g} s" in PAGE
    assert f"| fixed | {ANSWER_S:g} s |" in PAGE


def test_the_names_are_those_of_the_code():
    """The tick's source, the error of an unknown event, and the options of the command."""
    assert f'{{"source": "{TICK_SOURCE}"}}' in PAGE
    assert f"`{UnknownInvocationError.__name__}`" in PAGE
    assert CliRunner().invoke(archive, ["compact", "--older-than-days", "1", "--help"]).exit_code == 0
