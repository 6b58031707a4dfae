"""No plan, state or output of Terraform has a secret, or a value of a record, whatever packages hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from canary_plans import (
    NO_RESOURCES,
    packages_with_values,
    search_documents,
    secrets_in_files,
    sensitive_values,
)
from canary_values import EMAIL, GIVEN, Search
from moto.server import ThreadedMotoServer
from terraform_tree import TERRAFORM

pytestmark = pytest.mark.timeout(1_200)

EXAMPLE = "examples/complete"
ON_PURPOSE = "on-call@example.com"
"""Who hears of alarms: an operator's address, which Terraform has to hand over."""
DIGEST = "sha256:" + "0123456789abcdef" * 4
REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"


def test_no_file_makes_or_takes_a_secret():
    """Secrets are made without a value, which an operator puts in; users of the cache log in by IAM."""
    assert secrets_in_files() == []


def test_a_secret_in_a_file_would_be_found(tmp_path, monkeypatch):
    """The control: a secret's value, a password of a user, and a setting that is one."""
    folder = tmp_path / "modules" / "careless"
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text(
        'resource "aws_secretsmanager_secret_version" "this" {\n  secret_id = "x"\n}\n\n'
        'resource "aws_elasticache_user" "this" {\n  passwords = ["x"]\n}\n\n'
        'locals {\n  environment = {\n    MDM_LINEAGE_API_KEY = "x"\n  }\n}\n\n'
        'variable "password" {\n  type = string\n}\n'
    )
    monkeypatch.setattr("terraform_tree.TERRAFORM", tmp_path)
    found = secrets_in_files()
    assert [each.rpartition(": ")[2] for each in found] == [
        "aws_secretsmanager_secret_version", "aws_elasticache_user", "MDM_LINEAGE_API_KEY", "variable password"
    ]  # fmt: skip


@pytest.fixture(scope="module")
def emulator() -> Iterator[str]:
    """AWS as far as a plan asks it: who the caller is, and which availability zones there are."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


@pytest.fixture(scope="module")
def documents(terraform, emulator: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The plan of the whole example as text and as JSON, with packages that hold the canary."""
    packages = Path(tmp_path_factory.mktemp("packages"))
    names = sorted(path.name for path in (TERRAFORM / "mocks" / "packages").iterdir())
    packages_with_values(packages, iter(names))
    given = {
        "packages": {"folder": str(packages), "glue_folder": str(packages)},
        "images": {name: f"{REGISTRY}/mdm-{name}@{DIGEST}" for name in ("files", "commands", "reader")},
        "database": {
            "address": "postgresql://reader@crm.example.internal/crm?sslmode=require",
            "password_from": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:crm-reader-AbCdEf",
            "security_group_ids": ["sg-crm"],
        },
    }
    folder = terraform.tree / EXAMPLE
    (folder / "canary.auto.tfvars.json").write_text(json.dumps(given))
    account = {"AWS_ACCESS_KEY_ID": "emulated", "AWS_SECRET_ACCESS_KEY": "emulated", "AWS_ENDPOINT_URL": emulator}
    asked = replace(terraform, environment={**terraform.environment, **account, "AWS_REGION": "eu-central-1"})
    try:
        asked.prepared(EXAMPLE)
        planned = asked.run(EXAMPLE, "plan", "-input=false", "-no-color", "-out=canary.plan")
        assert planned.returncode == 0, planned.stderr[-3_000:]
        shown = asked.run(EXAMPLE, "show", "-json", "canary.plan")
        assert shown.returncode == 0, shown.stderr
        return {"plan": planned.stdout.encode(), "plan as JSON": shown.stdout.encode()}
    finally:
        (folder / "canary.auto.tfvars.json").unlink()


def test_a_plan_has_no_value_of_what_packages_hold(documents):
    """Digests alone: rules, and what examples in them say, stay in the package."""
    search = Search()
    search_documents(search, documents)
    assert "\n".join(map(str, search.finds)) == ""
    assert sum(search.bytes_by_place.values()) > 100_000
    assert ON_PURPOSE.encode() in documents["plan as JSON"]


def test_a_plan_sets_nothing_that_its_provider_calls_sensitive(documents):
    """The provider's own schema says which attributes take secrets."""
    assert sensitive_values(documents["plan as JSON"]) == []
    changes = orjson.loads(documents["plan as JSON"])["resource_changes"]
    assert len(changes) > 300
    assert {each["type"] for each in changes} & NO_RESOURCES == set()


def test_a_value_or_a_secret_in_a_plan_would_be_found():
    """The control of both searches."""
    change = {
        "address": "aws_elasticache_user.this",
        "change": {"after": {"passwords": ["x"], "name": GIVEN}, "after_sensitive": {"passwords": True, "tags": {}}},
    }
    plan = orjson.dumps({"resource_changes": [change]})
    assert sensitive_values(plan) == ["aws_elasticache_user.this.passwords"]
    search = Search()
    search_documents(search, {"plan": plan, "state": EMAIL.encode()})
    assert {find.value for find in search.finds} == {"given_name", "email"}
