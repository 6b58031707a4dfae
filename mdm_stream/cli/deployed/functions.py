"""The functions of a deployment and what feeds them: state, settings beside the code's, packages, mappings."""

from __future__ import annotations

import base64
import difflib
import hashlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from consumers.resolve.kcl_settings import KclSettings
from mdm_stream.cli.deployed.aws_questions import AwsQuestions
from mdm_stream.cli.deployed.inventory import DeployedFunction, DeployedMapping, Inventory
from mdm_stream.cli.deployed.resources import APPLY, answered, verdict
from mdm_stream.cli.machine import Check
from mdm_stream.errors import ConfigurationError
from mdm_stream.settings import EngineSettings, ResolveSettings, Settings
from mdm_stream.telemetry.log_lines import DEPLOYMENT
from mdm_stream.warehouse import WarehouseSettings
from mdm_stream.warehouse.lineage import LineageSettings
from mdm_stream.warehouse.settings import SnowflakeSettings
from producers.events_api.settings import EventsApiSettings
from producers.files.addresses import FilesSettings
from producers.files.settings import FileLimits

HOUR_S = 3_600
PREFIX = "MDM_"

KINDS: Mapping[str, tuple[type[Settings], ...]] = {
    "resolve": (ResolveSettings, EngineSettings),
    "warehouse": (WarehouseSettings, SnowflakeSettings, LineageSettings),
    "events-api": (EventsApiSettings,),
    "files-gatekeeper": (FilesSettings, FileLimits),
    "files-worker": (FilesSettings, FileLimits),
    "kcl": (ResolveSettings, EngineSettings, KclSettings),
    "kcl-steward": (ResolveSettings, EngineSettings, KclSettings),
}
"""Settings that each function or container reads, by what the inventory calls it."""

_READ_BY_ANOTHER = frozenset({SnowflakeSettings})
"""Read where another group asks for it."""


def functions(questions: AwsQuestions, inventory: Inventory, packages: Path | None) -> Iterator[Check]:
    """Yield the state, the settings and the package of each function, then each event source mapping."""
    for key in sorted(inventory.functions):
        seen: dict[str, Any] = {}
        yield answered(f"function {key}", partial(_function, questions, inventory, key, seen))
        if seen:
            environment = seen.get("Environment", {}).get("Variables", {})
            yield from settings_checks(key, environment, inventory.settings.get(key, {}))
            if packages is not None:
                yield from _packages(key, str(seen.get("CodeSha256", "")), packages)
    for key, mapping in sorted(inventory.event_sources.items()):
        name = f"event source {key}"
        yield answered(name, partial(_mapping, questions, inventory, name, mapping))


def _function(questions: AwsQuestions, inventory: Inventory, key: str, seen: dict[str, Any]) -> Check:
    """Return the state of a function, and fill in what AWS says of it."""
    function = inventory.functions[key]
    seen.update(questions.ask("lambda", "get_function_configuration", function.name, FunctionName=function.name))
    return _state(f"function {key}", function, seen, inventory)


def _state(name: str, function: DeployedFunction, seen: Mapping[str, Any], inventory: Inventory) -> Check:
    faults = []
    state, update = seen.get("State", "Active"), seen.get("LastUpdateStatus", "Successful")
    if state not in {"Active", "Inactive"}:  # the latter was not invoked for long, and wakes up with a request
        faults.append(f"{function.name} is {state} ({seen.get('StateReasonCode', 'no reason given')})")
    if update == "Failed":
        faults.append(f"the last change of {function.name} failed")
    if function.code_sha256 and seen.get("CodeSha256") != function.code_sha256:
        faults.append(f"{function.name} runs another package than was applied")
    if seen.get("KMSKeyArn") != inventory.kms_key_arn:
        faults.append(f"the settings of {function.name} are not encrypted by the deployment's key")
    return verdict(name, faults, f"{function.name} is {state}, changed {str(seen.get('LastModified', ''))[:19]}")


def settings_checks(key: str, environment: Mapping[str, str], applied: Mapping[str, str]) -> Iterator[Check]:
    """Yield what the settings of one function are worth to this code. No text of a value is in it, but for numbers."""
    kinds, name = KINDS.get(key, ()), f"settings of {key}"
    known = {kind.variable(field): (kind, field) for kind in kinds for field in kind.model_fields}
    ours = {
        variable: value
        for variable, value in environment.items()
        if variable.startswith(PREFIX) and variable != DEPLOYMENT
    }
    faults = [found for kind in kinds if (found := _unreadable(kind, environment))]
    odd = [_unknown(variable, known) for variable in sorted(set(ours) - set(known))] if kinds else []
    changed = sorted(
        variable for variable in {*ours, *applied}
        if variable.startswith(PREFIX) and environment.get(variable) != applied.get(variable)
    ) if applied else []  # fmt: skip
    if faults:
        yield Check(name, "failed", "; ".join(faults), f"correct it in the environment's variables, and {APPLY}")
    if odd:
        yield Check(name, "warning", "; ".join(odd), "nothing reads it: remove it, or use the release that does")
    if changed:
        found = f"not as applied: {', '.join(changed)}"
        yield Check(name, "warning", found, f"it was changed by another way than Terraform; {APPLY}")
    if not (faults or odd or changed):
        differing = sorted(filter(None, (_beside_default(*known[variable], ours[variable]) for variable in ours)))
        said = f"; other than the default: {', '.join(differing)}" if differing else "; numbers are the defaults"
        yield Check(name, "ok", f"{len(ours)} of {len(known)} set{said}")


def _unreadable(kind: type[Settings], environment: Mapping[str, str]) -> str | None:
    if kind in _READ_BY_ANOTHER:
        return None
    try:
        kind.from_environment(environment)
    except ConfigurationError as error:
        return str(error)
    return None


def _unknown(variable: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(variable, known, n=1)
    return f"{variable} is no setting" + (f" ({near[0]}?)" if near else "")


def _beside_default(kind: type[Settings], field: str, text: str) -> str | None:
    """Return a number or switch that is not its default; texts are addresses and names, which have none to compare."""
    default = kind.model_fields[field].default
    if not isinstance(default, bool | int | float):
        return None
    written = str(default).lower() if isinstance(default, bool) else f"{default:g}"
    try:
        same = float(text) == float(default) if not isinstance(default, bool) else text.lower() == written
    except ValueError:
        same = False
    return None if same else f"{kind.variable(field)}={text} ({written})"


def _packages(key: str, deployed: str, folder: Path) -> Iterator[Check]:
    """Compare a function's code with the packages that this tree makes: the same tree gives the same bytes."""
    built = [*folder.glob(f"{key}-*.zip"), *folder.glob(f"{key}-lineage-*.zip")]
    if not built:
        return
    digests = {base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode(): path.name for path in built}
    if deployed in digests:
        yield Check(f"package of {key}", "ok", f"the function runs {digests[deployed]}")
    else:
        found = f"the function runs none of {', '.join(sorted(digests.values()))}"
        yield Check(f"package of {key}", "warning", found, "it is of another release: apply, or build that release")


def _mapping(questions: AwsQuestions, inventory: Inventory, name: str, mapping: DeployedMapping) -> Check:
    seen = questions.ask("lambda", "get_event_source_mapping", mapping.uuid, UUID=mapping.uuid)
    wanted, faults = mapping.settings, []
    if seen["State"] not in {"Enabled", "Enabling", "Updating"}:
        faults.append(f"it is {seen['State']}: {mapping.stream} is not read")
    if "ReportBatchItemFailures" not in (seen.get("FunctionResponseTypes") or ()):
        faults.append("ReportBatchItemFailures is not set: batches that were done in part would be lost")
    age_s = seen.get("MaximumRecordAgeInSeconds", -1)
    kept_s = [each.retention_hours * HOUR_S for each in inventory.streams.values() if each.name == mapping.stream]
    if age_s == -1 or (kept_s and age_s >= kept_s[0]):
        faults.append("records expire on the stream before they are set aside (maximum record age)")
    if not seen.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"):
        faults.append("there is no on-failure destination: what fails for good would be lost")
    faults += [
        f"{theirs} is {seen.get(theirs)}, and {wanted[ours]} was applied"
        for ours, theirs in _MAPPING_SETTINGS.items()
        if ours in wanted and seen.get(theirs) != wanted[ours]
    ]
    if not faults and str(seen.get("LastProcessingResult", "")).startswith("PROBLEM"):
        advice = "see docs/operate/runbooks/iterator-age.md, and the rights of the function's role"
        return Check(name, "warning", f"{mapping.uuid}: Lambda's last attempt met a problem", advice)
    return verdict(name, faults, f"{mapping.stream} to {mapping.function}, {seen['State']}")


_MAPPING_SETTINGS = {
    "batch_size": "BatchSize",
    "window_s": "MaximumBatchingWindowInSeconds",
    "parallelization_factor": "ParallelizationFactor",
    "bisect_on_error": "BisectBatchOnFunctionError",
    "maximum_retry_attempts": "MaximumRetryAttempts",
    "maximum_record_age_s": "MaximumRecordAgeInSeconds",
}
"""Settings by the names of the local event source, and of Lambda's API."""
