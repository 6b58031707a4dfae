"""What commands talk to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mdm_stream.aws.loopback import loopback_environment
from mdm_stream.local.kinesis.server import KinesisServer


@pytest.fixture(scope="module")
def server() -> Iterator[KinesisServer]:
    """A Kinesis and S3 API on loopback, and its keys in the environment, as `mdm-stream env` puts them there."""
    with KinesisServer() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in loopback_environment(running.endpoint_url, running.keys, {}).items():
            patch.setenv(name, value)
        yield running
