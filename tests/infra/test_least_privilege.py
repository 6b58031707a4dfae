"""What may be done, and by which way: no wildcard without a reason, nothing public, one home for each kind of thing."""

from __future__ import annotations

import re

import pytest
from terraform_tree import TERRAFORM, blocks_of, files, reason_above, resources, statements

HOMES = {
    "aws_lambda_function": "function",
    "aws_sqs_queue": "queue",
    "aws_s3_bucket": "bucket",
    "aws_kms_key": "key",
    "aws_kinesis_stream": "streams",
}
"""What is made in one module alone, where its encryption, policies and dead letters are tested."""

ENCRYPTED_BY = {
    "aws_cloudwatch_event_bus": "kms_key_identifier",
    "aws_cloudwatch_log_group": "kms_key_id",
    "aws_dynamodb_table": "server_side_encryption",
    "aws_ecr_repository": "encryption_configuration",
    "aws_elasticache_replication_group": "kms_key_id",
    "aws_kinesis_stream": "kms_key_id",
    "aws_lambda_function": "kms_key_arn",
    "aws_memorydb_cluster": "kms_key_arn",
    "aws_secretsmanager_secret": "kms_key_id",
    "aws_sns_topic": "kms_master_key_id",
    "aws_sqs_queue": "kms_master_key_id",
    "aws_ssm_parameter": "key_id",
}

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BELOW_A_NAMED_ONE = re.compile(r"\$\{.+\}[^*]*\*")
"""All that is below something which has a name, such as the objects of a bucket."""
_ACTION = re.compile(r'"((?!mdm:)[a-z0-9-]+:[A-Za-z]*\*[A-Za-z*]*|\*:\*)"')


def _wide(name: str, text: str) -> list[str]:
    found = [value for value in _QUOTED.findall(text) if "*" in value]
    return [value for value in found if name != "resources" or not _BELOW_A_NAMED_ONE.fullmatch(value)]


def test_no_wildcard_without_a_reason():
    """An action or resource with a star has the line ``# star: REASON`` above it, or above its list."""
    unsaid = []
    for place, statement, path in statements():
        for attribute in statement.attributes:
            if attribute.name not in {"actions", "not_actions", "resources", "not_resources"}:
                continue
            text = path.read_text().split("\n")
            for line in range(attribute.line, attribute.last_line + 1):
                said = reason_above(path, line, "star") or reason_above(path, attribute.line, "star")
                if _wide(attribute.name, text[line - 1]) and not said:
                    unsaid.append(f"{place}: {text[line - 1].strip()}")
    assert unsaid == []


def test_no_wildcard_in_lists_that_statements_take_from_elsewhere():
    """Locals and variables hold no action with a star. (Keys of the index look like one.)"""
    unsaid = [
        f"{path.relative_to(TERRAFORM)}:{number}"
        for path in files()
        for number, line in enumerate(path.read_text().split("\n"), start=1)
        if _ACTION.search(line) and not reason_above(path, number, "star")
    ]
    assert unsaid == []


def test_policies_are_written_as_documents():
    """A policy in JSON by hand would pass the checks here unseen."""
    found = [
        f"{path.relative_to(TERRAFORM)}" for path in files() if re.search(r"\bStatement\b\"?\s*[=:]", path.read_text())
    ]
    assert found == []


def test_all_principals_at_once_are_denied_or_bound_by_a_condition():
    """A statement that allows has principals by name, or a condition that says whose they are."""
    open_to_all = []
    for place, statement, _ in statements():
        effect = statement.get("effect")
        allows = effect is None or effect.text() == "Allow"
        all_at_once = any('"*"' in each.get("identifiers").value for each in statement.all("principals"))
        if allows and all_at_once and not statement.all("condition"):
            open_to_all.append(place)
    assert open_to_all == []


@pytest.mark.parametrize(("kind", "module"), HOMES.items())
def test_it_is_made_in_one_module_alone(kind, module):
    """All others use that module."""
    elsewhere = [place for place, _, path in resources(kind) if path.parent.name != module]
    assert elsewhere == []


def test_what_holds_data_is_encrypted_by_a_key():
    """Each resource that can have a key names one."""
    named = [(place, block, ENCRYPTED_BY[block.labels[0]]) for place, block, _ in resources(*ENCRYPTED_BY)]
    without = [place for place, block, name in named if block.get(name) is None and not block.all(name)]
    assert named
    assert without == []


def test_log_groups_forget():
    """Each has a retention, which is a variable."""
    forever = [
        place for place, block, _ in resources("aws_cloudwatch_log_group") if block.get("retention_in_days") is None
    ]
    assert forever == []


def test_nothing_is_open_to_the_internet():
    """No rule lets all addresses in, and none lets all out without ``# public: REASON`` above."""
    found = []
    for path in files():
        text = path.read_text()
        for number, line in enumerate(text.split("\n"), start=1):
            if re.search(r'"(0\.0\.0\.0/0|::/0)"', line) and not reason_above(path, number, "public"):
                found.append(f"{path.relative_to(TERRAFORM)}:{number}")
            if re.search(r"(assign_public_ip|publicly_accessible|map_public_ip_on_launch)\s*=\s*true", line):
                found.append(f"{path.relative_to(TERRAFORM)}:{number}")
    assert found == []
    open_in = [
        place
        for place, block, _ in resources("aws_vpc_security_group_ingress_rule", "aws_security_group_rule")
        if any("0.0.0.0/0" in each.value or "::/0" in each.value for each in block.attributes)
    ]
    assert open_in == []


def test_roles_are_taken_by_services_of_this_account_or_by_lambda():
    """Whatever may take a role is a service; that of another account is kept off by a condition where AWS has one."""
    taken = [
        place
        for place, statement, _ in statements()
        for actions in [statement.get("actions")]
        if actions is not None and "sts:AssumeRole" in actions.value
        for principals in statement.all("principals")
        if principals.get("type").text() != "Service"
    ]
    assert taken == []


def test_no_secret_is_written_in_a_file():
    """Passwords are not in a configuration, and are not made by one: the state would have them."""
    found = [
        f"{path.relative_to(TERRAFORM)}:{block.line}"
        for path in files()
        for top in blocks_of(path)
        for block in top.within()
        if (block.type == "resource" and block.labels[0] in {"random_password", "tls_private_key"})
        or any(each.name in {"password", "passwords", "auth_token", "secret_string"} for each in block.attributes)
    ]
    assert found == []
