"""The two stores on which dead letters may lie."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from mdm_stream.objects.folder import FolderObjects
from mdm_stream.objects.s3 import S3Objects
from mdm_stream.objects.store import ObjectStore

CREDENTIALS = {"region_name": "eu-west-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}


@functools.cache
def s3_client() -> Any:
    """A client that never asks the machine for credentials; one for all tests, because it is slow to make."""
    return boto3.client("s3", **CREDENTIALS)


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    """An empty store: a folder, and a bucket as moto has it."""
    if request.param == "folder":
        yield FolderObjects(tmp_path / "dead")
        return
    with mock_aws():
        client = s3_client()
        client.create_bucket(Bucket="dead", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield S3Objects(client, "dead")
