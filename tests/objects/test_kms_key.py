"""One setting names the KMS key of every object that is written to S3, whichever part writes it."""

from __future__ import annotations

import orjson
import pytest
from archived import record
from object_stores import BUCKET, CREDENTIALS

from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.dead_letters.quarantine import QuarantineEntry
from mdm_stream.decode import Delivery
from mdm_stream.deployment import Deployment
from mdm_stream.errors import Reason
from mdm_stream.feed.envelope import change_message
from mdm_stream.index.port import OutboxEntry
from producers.files.addresses import FilesSettings
from producers.files.build import surroundings_of
from producers.files.settings import FileLimits

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
URL = f"s3://{BUCKET}"
ENVIRONMENT = {
    "MDM_RULES": "person",
    "MDM_REDIS_URL": "rediss://cache:6379/0",
    "MDM_CHANGES_STREAM": "changes",
    "MDM_GOLDEN_STREAM": "golden",
    "MDM_ARCHIVE_URL": f"{URL}/archive",
    "MDM_QUARANTINE_URL": f"{URL}/quarantine",
    "MDM_FILES_URL": f"{URL}/files",
    "MDM_KMS_KEY_ID": KEY,
}


@pytest.fixture
def account(bucket, monkeypatch):
    """A bucket, and the environment by which clients find it."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", CREDENTIALS["region_name"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS["aws_secret_access_key"])
    return bucket


def keys_of(bucket) -> dict[str, str | None]:
    """The key that encrypts each object of the bucket, by the first folder of its name."""
    found = {}
    for each in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        found[each["Key"].partition("/")[0]] = bucket.head_object(Bucket=BUCKET, Key=each["Key"]).get("SSEKMSKeyId")
    return found


def test_every_object_of_a_deployment_has_the_key(account):
    """Rows, parts, witnesses, marks, claim checks, snapshots, quarantine, and whatever else its stores write."""
    deployment = Deployment.from_environment(ENVIRONMENT)
    archive = deployment.archive()
    archive.append("person", [record(1)], EpochPosition(1, 2, 3))
    archive.compact("person")
    archive.sources("person").hold("crm", "why", 1)
    change = orjson.dumps({"op": "retire", "domain": "person", "golden_id": "g1", "removed": [], "rules_version": 1})
    assert deployment.claims().check_in(change_message(OutboxEntry(1, 1, change, 1))[1]) is not None
    deployment.store(deployment.quarantine_url).put("rejected.json", b"x")
    deployment.store(f"{URL}/reports").put("report.json", b"x")
    assert keys_of(account) == dict.fromkeys(["archive", "quarantine", "reports"], KEY)


def test_what_the_gatekeeper_of_files_writes_has_the_key(account):
    """Its loads, and the rows that it rejects."""
    around = surroundings_of(FilesSettings.from_environment(ENVIRONMENT), FileLimits())
    around.store.mark_open("load")
    around.quarantine.put([QuarantineEntry(Delivery.unplaced(b"x", "changes/7"), (Reason("syntax", "", "odd"),), 1)])
    assert keys_of(account) == dict.fromkeys(["files", "quarantine"], KEY)


def test_commands_with_addresses_of_their_own_take_the_key_of_the_environment(account):
    """What compacts or erases in an archive that a command names must not write it under another key."""
    named = Deployment.from_addresses(ENVIRONMENT).overridden(archive_url=f"{URL}/archive")
    named.archive().append("person", [record(1)], EpochPosition(1, 2, 3))
    assert keys_of(account) == {"archive": KEY}


def test_without_the_setting_nothing_is_asked_for(account):
    """The bucket's own default decides; S3's is its own key."""
    without = {name: value for name, value in ENVIRONMENT.items() if name != "MDM_KMS_KEY_ID"}
    Deployment.from_environment(without).store(f"{URL}/archive").put("a", b"x")
    assert keys_of(account) == {"archive": None}
