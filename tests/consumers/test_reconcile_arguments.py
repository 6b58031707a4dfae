"""The arguments of the job on Glue: settings by their names, Glue's own left alone, misspelt ones refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from object_stores import BUCKET, bucket

from consumers.reconcile.arguments import read_arguments
from mdm_stream.errors import ConfigurationError

__all__ = ["bucket"]

NEEDED = {
    "RULES": "person",
    "REDIS_URL": "rediss://index:6379/0",
    "CHANGES_STREAM": "changes",
    "GOLDEN_STREAM": "golden",
    "ARCHIVE_URL": "s3://archive/a",
    "QUARANTINE_URL": "s3://archive/q",
    "WORKSPACE": "s3://scratch/reconcile",
}


def arguments(**more: str) -> list[str]:
    """Return arguments as Glue passes them."""
    return [text for name, value in {**NEEDED, **more}.items() for text in (f"--{name}", value)]


def test_names_are_those_of_the_settings(tmp_path):
    """One table of settings serves the functions and the job; what is not named has the functions' default."""
    snowflake = {
        "WAREHOUSE_KIND": "snowflake",
        "WAREHOUSE_SNOWFLAKE_ACCOUNT": "a",
        "WAREHOUSE_SNOWFLAKE_USER": "u",
        "WAREHOUSE_SNOWFLAKE_DATABASE": "d",
        "WAREHOUSE_SNOWFLAKE_SCHEMA": "s",
        "WAREHOUSE_SNOWFLAKE_PRIVATE_KEY_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:1:secret:k",
    }
    found = read_arguments(arguments(NAMESPACE="test", DOMAIN="person", REPAIR="true", **snowflake), {}, str(tmp_path))
    assert (found.deployment.redis_url, found.deployment.namespace) == ("rediss://index:6379/0", "test")
    assert found.deployment.rules == ("person",)
    assert found.deployment.warehouse.snowflake.schema_name == "s"
    assert (found.job.domain, found.job.repair, found.job.skip_unchanged) == ("person", True, False)
    assert (found.job.settle_s, found.job.samples) == (60.0, 20)


def test_what_glue_passes_along_is_left_alone(tmp_path):
    """With and without values, and whatever looks like a name in its values."""
    own = ["--JOB_NAME", "mdm", "--JOB_ID", "j_1", "--JOB_RUN_ID", "jr_1", "--TempDir", "s3://t/", "--enable-metrics"]
    own += ["--job-bookmark-option", "job-bookmark-disable", "--SECURITY_CONFIGURATION", "none", "--conf", "REPAIR"]
    found = read_arguments([*own, *arguments(), "--enable-auto-scaling=true", "--SAMPLES=3"], {}, str(tmp_path))
    assert (found.job.samples, found.job.repair) == (3, False)


@pytest.mark.parametrize("name", ["REPIAR", "RULE", "MDM_RULES", "WAREHOUSE"])
def test_a_misspelt_name_is_refused(name, tmp_path):
    """It would do nothing, and nothing would say so."""
    with pytest.raises(ConfigurationError, match=f"no argument --{name}; docs/operate/reconcile.md"):
        read_arguments(arguments(**{name: "true"}), {}, str(tmp_path))


@pytest.mark.parametrize("name", [*NEEDED])
def test_what_is_needed_is_named(name, tmp_path):
    """By the setting's name, without a value."""
    left = arguments()
    place = left.index(f"--{name}")
    with pytest.raises(ConfigurationError, match=f"MDM_{name}"):
        read_arguments(left[:place] + left[place + 2 :], {}, str(tmp_path))


def test_arguments_come_before_the_environment(tmp_path):
    """And the environment serves what they do not name."""
    environment = {"MDM_NAMESPACE": "of-environment", "MDM_DOMAIN": "of-environment", "MDM_SAMPLES": "4"}
    found = read_arguments(arguments(DOMAIN="person"), environment, str(tmp_path))
    assert (found.deployment.namespace, found.job.domain, found.job.samples) == ("of-environment", "person", 4)


def test_rules_are_fetched_from_s3(bucket, tmp_path, monkeypatch):
    """A pack, and files of one name in two folders, one of which names a model beside it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for folder in ("a", "b"):
        bucket.put_object(Bucket=BUCKET, Key=f"rules/{folder}/rules.yaml", Body=f"domain: {folder}\n".encode())
    named = b"domain: c\nmatch:\n  model: rules.model.json\n"
    bucket.put_object(Bucket=BUCKET, Key="rules/c/rules.yaml", Body=named)
    bucket.put_object(Bucket=BUCKET, Key="rules/c/rules.model.json", Body=b"{}")
    rules = ",".join(["person", *(f"s3://{BUCKET}/rules/{folder}/rules.yaml" for folder in "abc")])
    found = read_arguments(arguments(RULES=rules), {}, str(tmp_path)).deployment.rules
    assert found[0] == "person"
    assert [Path(path).read_text() for path in found[1:]] == ["domain: a\n", "domain: b\n", named.decode()]
    assert Path(found[3]).with_name("rules.model.json").read_text() == "{}"
