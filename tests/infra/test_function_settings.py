"""Functions, containers and the job on Glue have the settings that their own code reads, and all that it needs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from source_tree import ROOT
from terraform_settings import DEFAULTS, as_written
from terraform_tree import TERRAFORM, defaults_of, variables

from consumers.reconcile.arguments import JobSettings, read_arguments
from consumers.resolve.kcl_daemon import STOP_S_MARGIN
from consumers.resolve.kcl_settings import KclSettings
from mdm_stream.cli.commands.feed import snapshot
from mdm_stream.deployment import OBJECT_ATTEMPTS_MAX
from mdm_stream.local.event_source.mapping import EventSource
from mdm_stream.settings import EngineSettings, ResolveSettings, Settings
from mdm_stream.warehouse import WarehouseSettings
from mdm_stream.warehouse.lineage import LineageSettings
from mdm_stream.warehouse.settings import SnowflakeSettings
from producers.events_api.settings import EventsApiSettings
from producers.postgres import ReaderSettings

MODULES = TERRAFORM / "modules"
IMAGES = ROOT / "infra" / "docker"
_SET = re.compile(r"(?:^|\{)\s*(MDM_[A-Z0-9_]+)\s*=", re.MULTILINE)
_SET_EACH = re.compile(r'for name, value in var\.(\w+) : "(MDM_\w*)\$\{upper\(name\)\}"')
_HANDED_ON = re.compile(r'^\s*"(MDM_[A-Z0-9_]+)",$', re.MULTILINE)
_MEMBER = re.compile(r"^\s*(\w+)\s*=\s*(?:optional|string|number|bool|list)\b", re.MULTILINE)


class Reader(NamedTuple):
    """A module, and the settings that what it deploys reads."""

    module: str
    kinds: tuple[type[Settings], ...]


CONSUMER = Reader("consumer", (ResolveSettings, EngineSettings))
API = Reader("api", (EventsApiSettings,))
WAREHOUSE = Reader("warehouse", (WarehouseSettings, SnowflakeSettings, LineageSettings))
KCL = Reader("kcl", (KclSettings,))
READERS = [CONSUMER, API, WAREHOUSE, KCL]


def members(module: str, variable: str) -> set[str]:
    """Return the names of an object's members."""
    return set(_MEMBER.findall(variables(MODULES / module)[variable].get("type").value))


def settings_of(module: str) -> set[str]:
    """Return the variables that a module sets in the environment of what it deploys."""
    text = (MODULES / module / "main.tf").read_text()
    each = {f"{prefix}{name.upper()}" for made, prefix in _SET_EACH.findall(text) for name in members(module, made)}
    return {*_SET.findall(text), *_HANDED_ON.findall(text), *each}


def known_to(reader: Reader) -> dict[str, bool]:
    """Return the variables that the code of a module reads, and whether it cannot do without each."""
    return {
        kind.variable(name): field.is_required() for kind in reader.kinds for name, field in kind.model_fields.items()
    }


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.module)
def test_each_setting_is_one_that_this_code_reads(reader):
    """A variable of another function would be set and do nothing."""
    assert settings_of(reader.module) - set(known_to(reader)) == set()


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.module)
def test_each_setting_that_is_needed_is_set(reader):
    """The process would end when it starts."""
    needed = {name for name, is_needed in known_to(reader).items() if is_needed}
    assert needed - settings_of(reader.module) == set()


def test_the_reader_of_configurations_finds_settings():
    """Written one by one, of the members of an object, and handed on from another module."""
    assert {"MDM_REDIS_URL", "MDM_REDIS_TIMEOUT_S", "MDM_COMMIT_ATTEMPTS_MAX"} <= settings_of("consumer")
    assert {"MDM_QUARANTINE_URL", "MDM_API_ID_KEYS", "MDM_API_ATTEMPTS_MAX"} <= settings_of("api")
    assert {"MDM_WAREHOUSE_SNOWFLAKE_SCHEMA", "MDM_LINEAGE_URL"} <= settings_of("warehouse")


@pytest.mark.parametrize(("module", "variable", "kind"), DEFAULTS, ids=str)
def test_defaults_are_those_of_the_code(module, variable, kind):
    """A member that is left out has the value that the pages of the code name."""
    by_variable = {kind.variable(name): field.default for name, field in kind.model_fields.items()}
    ours = defaults_of(variables(MODULES / module)[variable])
    theirs = {name: by_variable[f"{kind.env_prefix}{name.upper()}"] for name in ours}
    assert ours
    assert {name: as_written(value) for name, value in theirs.items()} == ours


def test_every_limit_of_the_kcl_and_of_the_consumer_can_be_set():
    """None is left out, but for addresses that are for one machine alone."""
    of_one_machine = {"kinesis_endpoint_url", "dynamodb_endpoint_url", "cloudwatch_endpoint_url"}
    set_by_the_module = {"application", "stream", "region", "health_folder"}
    assert members("kcl", "limits") == set(KclSettings.model_fields) - of_one_machine - set_by_the_module
    assert members("consumer", "engine") == set(EngineSettings.model_fields)
    found = settings_of("consumer")
    assert {ResolveSettings.variable(name) for name in set(ResolveSettings.model_fields) - of_one_machine} <= found


def test_the_defaults_of_the_event_source_are_those_of_the_page():
    """``docs/operate/lambda.md`` has them in a table, and the local event source takes them."""
    found = variables(MODULES / "event_source")
    given = {name: _value(block) for name, block in found.items() if block.get("default") is not None}
    names = {"batch_size", "window_s", "parallelization_factor", "starting_position", "bisect_on_error"}
    EventSource(**{name: given[name] for name in names | {"maximum_retry_attempts"}})
    page = (ROOT / "docs" / "operate" / "lambda.md").read_text()
    assert f"| batch size, window | {given['batch_size']}, {given['window_s']} s |" in page
    assert f"| `MaximumRetryAttempts` | {given['maximum_retry_attempts']} |" in page
    assert f"| parallelization factor | {given['parallelization_factor']} |" in page
    assert f"| `BisectBatchOnFunctionError` | {str(given['bisect_on_error']).lower()} |" in page


def test_every_setting_of_the_local_event_source_is_one_here():
    """But for how long the local poller waits between attempts, which Lambda decides itself."""
    text = (MODULES / "event_source" / "outputs.tf").read_text()
    ours = {name for name in EventSource.__dataclass_fields__ if not name.startswith("retry_backoff")}
    assert ours == set(re.findall(r"^    (\w+)\s+= ", text, re.MULTILINE))
    assert defaults_of(variables(MODULES / "resolve")["event_source"]) == {
        name: _text(variables(MODULES / "event_source")[name])
        for name in defaults_of(variables(MODULES / "resolve")["event_source"])
    }


@pytest.mark.parametrize(("redis_timeout_s", "aws_timeout_s"), [(5, 10), (1, 3)])
def test_the_time_that_a_batch_needs_is_that_of_the_page(redis_timeout_s, aws_timeout_s):
    """Module ``consumer`` computes it, and ``resolve`` refuses a function that has less."""
    text = (MODULES / "consumer" / "main.tf").read_text()
    object_s = f"object_s    = {OBJECT_ATTEMPTS_MAX} * var.limits.aws_timeout_s + 3"
    assert object_s in text
    assert "batch_s_min = 2 * var.limits.redis_timeout_s + var.limits.aws_timeout_s + local.object_s" in text
    needed = 2 * redis_timeout_s + aws_timeout_s + OBJECT_ATTEMPTS_MAX * aws_timeout_s + 3 + 0.5
    assert f"{needed:g} s" in (ROOT / "docs" / "operate" / "lambda.md").read_text()


def test_the_job_on_glue_takes_every_argument_that_it_gets(tmp_path):
    """One that is no setting of its own would be refused when the job starts."""
    consumer = settings_of("consumer") - {EngineSettings.variable(name) for name in EngineSettings.model_fields}
    text = (MODULES / "reconcile" / "main.tf").read_text()
    assert 'if startswith(name, "MDM_WAREHOUSE_")' in text
    warehouse = {name for name in settings_of("warehouse") if name.startswith("MDM_WAREHOUSE_")}
    own = settings_of("reconcile")
    assert {JobSettings.variable("workspace"), JobSettings.variable("settle_s")} <= own
    values = {"MDM_RULES": "person", "MDM_WAREHOUSE_KIND": "duckdb"}
    given = [
        word
        for name in sorted(consumer | warehouse | own)
        for word in (f"--{name.removeprefix('MDM_')}", values.get(name, ""))
    ]
    needed = {
        ResolveSettings.variable(name): "x"
        for name, field in ResolveSettings.model_fields.items()
        if field.is_required()
    }
    given += [word for name in needed if name != "MDM_RULES" for word in (f"--{name.removeprefix('MDM_')}", "x")]
    given += ["--WORKSPACE", "s3://bucket/reconcile"]
    assert read_arguments(given, {}, str(tmp_path)).deployment.rules == ("person",)


def test_handlers_are_those_of_the_packages():
    """A handler that a package does not have would fail with each invocation."""
    sys.path.insert(0, str(ROOT / ".ci" / "package"))
    try:
        from functions import FUNCTIONS  # noqa: PLC0415 - beside the program that it belongs to
    finally:
        sys.path.remove(str(ROOT / ".ci" / "package"))
    packaged = {handler for function in FUNCTIONS.values() for handler in function.handlers}
    named = {
        handler
        for path in MODULES.glob("*/main.tf")
        for handler in re.findall(r'handler\s+= "([a-z_.]+)"', path.read_text())
    }
    assert named == packaged


@pytest.mark.parametrize(
    ("module", "image"),
    [("kcl", "kcl"), ("capture", "postgres-reader"), ("compaction", "commands"), ("snapshots", "commands")],
)
def test_containers_are_run_as_their_images_are_made(module, image):
    """The user by its number, and /tmp as a volume exactly where the image says so: its user could not write else."""
    text = (MODULES / module / "main.tf").read_text()
    dockerfile = (IMAGES / image / "Dockerfile").read_text()
    (user,) = re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE)
    assert re.findall(r'user\s+= "([0-9:]+)"', text) == [user]
    assert bool(re.search(r"writes_to_tmp\s+= true", text)) == ('VOLUME ["/tmp"]' in dockerfile)
    assert re.findall(r"stop_timeout_s\s+= (\d+)", text) == ["60"]


def test_the_kcl_is_checked_and_stopped_as_its_image_says():
    """ECS does not look at an image's own health check, and kills what has not ended in time."""
    text, dockerfile = (MODULES / "kcl" / "main.tf").read_text(), (IMAGES / "kcl" / "Dockerfile").read_text()
    (check,) = re.findall(r"HEALTHCHECK .* CMD (\[.*\])", dockerfile)
    assert f"check = {check}" in text
    (folder,) = re.findall(r"MDM_KCL_HEALTH_FOLDER=(\S+)", dockerfile)
    assert f'MDM_KCL_HEALTH_FOLDER = "{folder}"' in text
    (longest_ms,) = re.findall(r"shutdown_grace_ms <= (\d+)", (MODULES / "kcl" / "variables.tf").read_text())
    assert int(longest_ms) / 1_000 + STOP_S_MARGIN <= 60


def test_the_defaults_of_the_reader_of_postgresql_are_those_of_the_code():
    """Slot, publication and the rest are arguments of its command."""
    found, settings = variables(MODULES / "capture"), ReaderSettings()
    for name in ("slot", "publication", "allow_truncate", "status_interval_s"):
        assert _value(found[name]) == getattr(settings, name)


def test_compaction_has_what_its_command_reads():
    """The archive's address, and the key that encrypts what is written."""
    assert settings_of("compaction") == {
        ResolveSettings.variable("archive_url"),
        ResolveSettings.variable("kms_key_id"),
    }


def test_snapshots_are_taken_by_a_command_that_there_is():
    """Its arguments are options of this release, and the key that encrypts what is written is its only setting."""
    assert settings_of("snapshots") == {ResolveSettings.variable("kms_key_id")}
    text = (MODULES / "snapshots" / "main.tf").read_text()
    given = set(re.findall(r'"(--[a-z-]+)"', text))
    known = {option for each in snapshot.params for option in each.opts}
    assert given - known == set()
    assert {"--golden-stream", "--archive", "--claims", "--snapshots", "--json"} <= given
    assert '["feed", "snapshot",' in text


def test_the_image_of_the_functions_of_files_has_their_handlers():
    """Terraform names the handler of each as the container's command; the runtime client takes it from there."""
    dockerfile = (IMAGES / "files" / "Dockerfile").read_text()
    handlers = set(re.findall(r'handler\s+= "([a-z_.]+)"', (MODULES / "ingest" / "main.tf").read_text()))
    assert re.findall(r'^CMD \["([a-z_.]+)"\]$', dockerfile, re.MULTILINE)[0] in handlers
    assert 'ENTRYPOINT ["python", "-m", "awslambdaric"]' in dockerfile
    assert {"producers", "mdm_stream"} == set(re.findall(r"^COPY (\w+) /app/", dockerfile, re.MULTILINE))
    for handler in handlers:
        module, _, function = handler.rpartition(".")
        assert f"def {function}(" in (ROOT / f"{module.replace('.', '/')}.py").read_text()


def _text(block) -> str:
    return str(block.get("default").value).strip('"')


def _value(block) -> object:
    text = _text(block)
    if text in {"true", "false"}:
        return text == "true"
    return next(_numbers(text), text)


def _numbers(text: str) -> Iterator[int | float]:
    for kind in (int, float):
        try:
            yield kind(text)
        except ValueError:
            continue
