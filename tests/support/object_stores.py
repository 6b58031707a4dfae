"""Stores for the tests of objects and archive: a folder, and a bucket as moto has it."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from mdm_stream.objects.folder import FolderObjects
from mdm_stream.objects.s3 import S3Objects
from mdm_stream.objects.store import ObjectStore

BUCKET = "kept"
CREDENTIALS = {"region_name": "eu-west-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}


@functools.cache
def s3_client():
    """A client that never asks the machine for credentials; one for all tests, because it is slow to make."""
    return boto3.client("s3", **CREDENTIALS, config=Config(retries={"max_attempts": 1}))


@pytest.fixture
def bucket():
    """A client of an empty bucket named ``kept``."""
    with mock_aws():
        client = s3_client()
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield client


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path) -> Iterator[ObjectStore]:
    """Each kind of store, empty."""
    if request.param == "folder":
        yield FolderObjects(tmp_path / "store")
        return
    yield S3Objects(request.getfixturevalue("bucket"), BUCKET, "some/prefix/")
