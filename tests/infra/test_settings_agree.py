"""Terraform, code and docs say the same: names of settings, their defaults, and the rights of the cache's user."""

from __future__ import annotations

import re

import pytest
from source_tree import ROOT
from terraform_settings import NAME, SAME_DEFAULTS, as_written, compared_defaults, known_settings, names_in_terraform
from terraform_tree import TERRAFORM, defaults_of, variables

from mdm_stream.decode.authority_policy import policy_of
from producers.files.addresses import FilesSettings
from producers.files.settings import FileLimits


def test_every_setting_of_a_function_is_one_that_the_code_reads():
    """A name that is written wrongly would be a setting that is not there."""
    known = known_settings()
    assert [f"{place}: {name}" for place, name in names_in_terraform() if name not in known] == []


def test_defaults_are_the_same_in_terraform_in_the_code_and_on_the_page():
    """Each is one of the code's, and where the page of limits has it, it has the same."""
    found = compared_defaults()
    assert [each for each in found if not each.agree] == []
    assert sum(each.page is not None for each in found) > len(found) / 2


@pytest.mark.parametrize(("module", "variable", "kinds"), SAME_DEFAULTS, ids=str)
def test_limits_have_the_names_and_defaults_of_the_code(module, variable, kinds):
    """Each member of the object is a setting, and its default is that of the code."""
    found = variables(TERRAFORM / "modules" / module)[variable]
    fields = {name: field.default for kind in kinds for name, field in kind.model_fields.items()}
    ours = defaults_of(found)
    assert ours
    assert {name: fields.get(name) is not None for name in ours} == dict.fromkeys(ours, True)
    assert ours == {name: as_written(fields[name]) for name in ours}


def test_all_limits_of_files_can_be_set():
    """None is left out."""
    assert set(defaults_of(variables(TERRAFORM / "modules" / "ingest")["file_limits"])) == set(FileLimits.model_fields)


def test_the_functions_of_files_have_all_settings_that_they_need():
    """What has no default in the code is set, and so is whatever finds a resource of the module."""
    text = (TERRAFORM / "modules" / "ingest" / "main.tf").read_text()
    needed = {FilesSettings.variable(name) for name, field in FilesSettings.model_fields.items() if field.is_required()}
    found = set(NAME.findall(text))
    assert needed <= found
    assert {"MDM_FILES_QUEUE_URL", "MDM_FILES_TOPIC_ARN", "MDM_FILES_BUS", "MDM_KMS_KEY_ID", "MDM_REDIS_URL"} <= found


def test_the_user_of_the_cache_has_exactly_the_rights_of_the_docs():
    """Which a test runs consumers, APIs and commands with."""
    page = (ROOT / "docs" / "operate" / "cache.md").read_text()
    (line,) = re.findall(r"^ACL SETUSER mdm on >PASSWORD (.*)$", page, re.MULTILINE)
    text = (TERRAFORM / "modules" / "index_rights" / "main.tf").read_text()
    commands = re.findall(r'"([a-z|]+)"', text[text.index("commands = [") :])
    assert sorted(f"+{command}" for command in commands) == sorted(word for word in line.split() if word[0] == "+")
    assert len(commands) == len(set(commands))
    assert '"mdm:*"' in text
    assert {word for word in line.split() if word[0] != "+"} == {"resetchannels", "~mdm:*", "-@all"}


def test_the_server_of_the_docs_is_the_one_that_is_made():
    """What a process looks at before it uses a cache is set where the cache is made."""
    text = (TERRAFORM / "modules" / "index" / "main.tf").read_text()
    assert re.search(r'"maxmemory-policy"\s*\n\s*value = "noeviction"', text)
    assert 'engine               = "valkey"' in text


def test_the_visibility_of_queues_follows_the_functions():
    """Six times the function's time-out, as docs/guide/vendor-files.md asks for."""
    page = (ROOT / "docs" / "guide" / "vendor-files.md").read_text()
    assert "six times the function's" in page
    assert "timeouts_of_visibility = 6 " in (TERRAFORM / "modules" / "ingest" / "main.tf").read_text()


def test_the_policy_of_the_example_is_one_that_the_code_takes():
    """A document that is wrong would stop every function at its start."""
    document = (TERRAFORM / "examples" / "complete" / "authority.json").read_text()
    policy = policy_of(document, "mdm-complete-steward")
    assert sorted(policy.keys) == ["privacy-2026"]
