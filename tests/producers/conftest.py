"""What tests of producers share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from files_world import DROPS
from moto import mock_aws


@pytest.fixture
def drops() -> Iterator[Any]:
    """A client of S3 with an empty bucket for drops."""
    keys = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    with mock_aws():
        client = boto3.client("s3", **keys)
        client.create_bucket(Bucket=DROPS)
        yield client
