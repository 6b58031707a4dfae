"""Terraform, code and docs say the same: names of settings, their defaults, and the rights of the cache's user."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest
from source_tree import ROOT, modules
from terraform_tree import TERRAFORM, defaults_of, files, variables

from mdm_stream.decode.authority_policy import policy_of
from mdm_stream.deployment import _OF_COMMANDS
from mdm_stream.settings import EngineSettings, ResolveSettings, Settings
from producers.events_api.settings import EventsApiSettings
from producers.files.addresses import FilesSettings
from producers.files.settings import FileLimits

_NAME = re.compile(r"\bMDM_[A-Z0-9_]+\b")

_STANDS_FOR_MANY = re.compile(r"MDM_([A-Z]+_)*(NAME)?")
"""How a description names a whole family of settings, and an expression its beginning."""

SAME_DEFAULTS: list[tuple[str, str, tuple[type[Settings], ...]]] = [
    ("ingest", "timeouts", (FilesSettings,)),
    ("ingest", "file_limits", (FileLimits,)),
    ("consumer", "limits", (ResolveSettings,)),
    ("consumer", "engine", (EngineSettings,)),
    ("api", "limits", (EventsApiSettings,)),
    ("deployment", "limits", (ResolveSettings,)),
    ("deployment", "engine", (EngineSettings,)),
]
"""Objects whose members are settings of the code, by its names: module, variable, and where the code has them."""


def _known() -> set[str]:
    """Return the names of settings that the code reads: those of its classes, and those that it names itself."""
    for module in modules():
        if re.search(r"^class \w+\(\w*Settings\)", module.text, re.MULTILINE):
            importlib.import_module(module.name)
    kinds, waiting = [], [Settings]
    while waiting:
        kinds.append(waiting.pop())
        waiting += kinds[-1].__subclasses__()
    named = {name for module in modules() for name in _NAME.findall(module.text)}
    named |= {f"MDM_{name.upper()}" for name in _OF_COMMANDS}
    return named | {kind.variable(name) for kind in kinds for name in kind.model_fields}


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def test_every_setting_of_a_function_is_one_that_the_code_reads():
    """A name that is written wrongly would be a setting that is not there."""
    known = _known()
    unknown = [
        f"{path.relative_to(TERRAFORM)}: {name}"
        for path in files()
        for name in _NAME.findall(path.read_text())
        if name not in known and not _STANDS_FOR_MANY.fullmatch(name)
    ]
    assert unknown == []


@pytest.mark.parametrize(("module", "variable", "kinds"), SAME_DEFAULTS, ids=str)
def test_limits_have_the_names_and_defaults_of_the_code(module, variable, kinds):
    """Each member of the object is a setting, and its default is that of the code."""
    found = variables(TERRAFORM / "modules" / module)[variable]
    fields = {name: field.default for kind in kinds for name, field in kind.model_fields.items()}
    ours = defaults_of(found)
    assert ours
    assert {name: fields.get(name) is not None for name in ours} == dict.fromkeys(ours, True)
    assert ours == {name: _plain(fields[name]) for name in ours}


def test_all_limits_of_files_can_be_set():
    """None is left out."""
    assert set(defaults_of(variables(TERRAFORM / "modules" / "ingest")["file_limits"])) == set(FileLimits.model_fields)


def test_the_functions_of_files_have_all_settings_that_they_need():
    """What has no default in the code is set, and so is whatever finds a resource of the module."""
    text = (TERRAFORM / "modules" / "ingest" / "main.tf").read_text()
    needed = {FilesSettings.variable(name) for name, field in FilesSettings.model_fields.items() if field.is_required()}
    found = set(_NAME.findall(text))
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
