"""``mdm-stream doctor --environment``: each damage of a deployment is named by its line."""

from __future__ import annotations

import pytest
from deployed_examination import fire_alarm, found_in, not_ok, remove_stream, world
from deployed_world import HOUR_S, MAPPING, NAME, REGION
from moto.ecs.models import ecs_backends

from mdm_stream.aws.loopback import ACCOUNT_ID

__all__ = ["world"]


def test_a_deployment_in_order_has_nothing_to_do(world):
    """Each thing of the inventory has its line; numbers that are not the default are information."""
    found = found_in(world)
    assert not_ok(found) == {}
    assert set(found) >= {
        "caller", "clock of AWS", "key", "stream changes", "stream golden", "bucket archive", "bucket quarantine",
        "queue drops", "secret events-api", "alarms", "function resolve", "settings of resolve", "event source changes",
        "service kcl", "settings of kcl",
        "rights of publish", "rights of rebuild, erase, feed snapshot",
    }  # fmt: skip
    assert found["settings of resolve"].found.endswith("other than the default: MDM_EXPIRIES_PER_TICK_MAX=750 (500)")
    assert found["stream changes"].found == f"{NAME}-changes is ACTIVE, 2 open shards, keeps 168 h, encrypted"


def _shorten_retention(world):
    world.client("kinesis").decrease_stream_retention_period(StreamName=f"{NAME}-changes", RetentionPeriodHours=24)


def _decrypt_stream(world):
    world.client("kinesis").stop_stream_encryption(
        StreamName=f"{NAME}-golden", EncryptionType="KMS", KeyId=world.key_arn
    )


def _stop_versions(world):
    world.client("s3").put_bucket_versioning(Bucket=f"{NAME}-archive", VersioningConfiguration={"Status": "Suspended"})


def _open_bucket(world):
    world.client("s3").delete_public_access_block(Bucket=f"{NAME}-quarantine")


def _other_encryption(world):
    world.client("s3").delete_bucket_encryption(Bucket=f"{NAME}-archive")


def _remove_bucket(world):
    world.client("s3").delete_bucket(Bucket=f"{NAME}-archive")


def _dead_letter(world):
    sqs = world.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{NAME}-drops-dead-letters")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="a drop")


def _no_redrive(world):
    sqs = world.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{NAME}-drops")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": ""})


def _disable_key(world):
    world.client("kms").disable_key(KeyId=world.key_arn.rpartition("/")[2])


def _empty_secret(world):
    world.inventory["secrets"]["events-api"] = world.client("secretsmanager").create_secret(Name="empty")["ARN"]


def _mute_alarm(world):
    world.client("cloudwatch").disable_alarm_actions(AlarmNames=[f"{NAME}-iterator-age-changes"])


def _remove_alarm(world):
    world.client("cloudwatch").delete_alarms(AlarmNames=[f"{NAME}-iterator-age-changes"])


def _remove_function(world):
    world.client("lambda").delete_function(FunctionName=f"{NAME}-resolve")


def _remove_service(world):
    world.client("ecs").delete_service(cluster=NAME, service=f"{NAME}-kcl", force=True)


def _end_a_container(_world):
    (service,) = ecs_backends[ACCOUNT_ID][REGION].services.values()
    service.running_count = 1


def _other_code(world):
    world.inventory["functions"]["resolve"]["code_sha256"] = "AAAA"


def _update_mapping(**changes):
    def damage(world):
        uuid = world.inventory["event_sources"]["changes"]["uuid"]
        world.client("lambda").update_event_source_mapping(UUID=uuid, **changes)

    return damage


def _record_age_of_the_stream(world):
    world.inventory["event_sources"]["changes"]["settings"] = {**MAPPING, "maximum_record_age_s": 168 * HOUR_S}
    _update_mapping(MaximumRecordAgeInSeconds=168 * HOUR_S)(world)


DAMAGES = [
    (_shorten_retention, "stream changes", "failed", "keeps records for 24 h, and 168 h were applied"),
    (_decrypt_stream, "stream golden", "failed", "is not encrypted by the deployment's key"),
    (remove_stream, "stream golden", "failed", "mdm-test-golden is not there"),
    (_stop_versions, "bucket archive", "failed", "keeps no versions"),
    (_open_bucket, "bucket quarantine", "failed", "may become public"),
    (_other_encryption, "bucket archive", "failed", "is not encrypted by the deployment's key by default"),
    (_remove_bucket, "bucket archive", "failed", "mdm-test-archive is not there"),
    (_dead_letter, "queue drops", "warning", "1 dead letters"),
    (_no_redrive, "queue drops", "failed", "does not send what fails to mdm-test-drops-dead-letters"),
    (_disable_key, "key", "failed", "is Disabled"),
    (_empty_secret, "secret events-api", "failed", "is empty"),
    (fire_alarm, "alarm iterator-age-golden", "warning", "is in ALARM"),
    (_mute_alarm, "alarms", "failed", "mdm-test-iterator-age-changes has its actions switched off"),
    (_remove_alarm, "alarms", "failed", "mdm-test-iterator-age-changes is not there"),
    (_remove_function, "function resolve", "failed", "mdm-test-resolve is not there"),
    (_remove_service, "service kcl", "failed", "mdm-test-kcl is not there"),
    (_end_a_container, "service kcl", "warning", "1 of 2 containers run"),
    (_other_code, "function resolve", "failed", "runs another package than was applied"),
    (_update_mapping(Enabled=False), "event source changes", "failed", "mdm-test-changes is not read"),
    (_update_mapping(FunctionResponseTypes=[]), "event source changes", "failed", "ReportBatchItemFailures"),
    (_update_mapping(BatchSize=7), "event source changes", "failed", "BatchSize is 7, and 500 was applied"),
    (_record_age_of_the_stream, "event source changes", "failed", "records expire on the stream"),
]


@pytest.mark.parametrize(("damage", "name", "status", "text"), DAMAGES)
def test_each_damage_is_named_by_its_line(world, damage, name, status, text):
    """One line has changed, says what is wrong and what to do, and every other one is as before."""
    damage(world)
    found = found_in(world)
    assert not_ok(found) == {name: status}
    assert text in found[name].found
    assert found[name].advice
