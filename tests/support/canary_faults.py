"""Faults whose messages hold a personal value, raised in a running process while a file names them.

Each stands for a message that a server or a library may send back: Redis repeats arguments in errors, S3 keys, DuckDB
and Snowflake the value that they cannot convert, and Python whatever was looked up.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canary_values import ATTRIBUTES, EMAIL, FAMILY, GIVEN

FAULT_FILE = "CANARY_FAULT_FILE"
"""The variable that names the file with the fault of the moment; it is empty while nothing is to fail."""
RUNTIME = "CANARY_RUNTIME"
"""The variable that names what runs: its own faults can happen there, and nothing else is loaded for them."""
SAID = f"value '{GIVEN}' of {FAMILY} <{EMAIL}>, {ATTRIBUTES}"

REDIS = "redis.connection:AbstractConnection.read_response"
AWS = "botocore.client:BaseClient._make_api_call"
ENGINE = "mdm_stream.engine.batch:Engine.process"
DECODER = "mdm_stream.decode:Decoder.decode"
RESOLVER = "mdm_stream.resolve.resolver:Resolver._resolve"
EPOCH = "mdm_stream.index.redis.index:RedisIndex.require_unchanged"
ARCHIVE = "mdm_stream.archive:AppendOnce.append"
TICK = "mdm_stream.resolve.expiries:Expiries.send_due"
DUCKDB = "mdm_stream.warehouse.duckdb.session:DuckDbSession.execute"
DUCKDB_OPENED = "duckdb:connect"
SNOWFLAKE = "snowflake.connector:connect"
FEED = "mdm_stream.warehouse.consumer:WarehouseConsumer._read"
WAREHOUSE = "mdm_stream.warehouse.consumer:WarehouseConsumer.apply_records"
FILES = "producers.files.gatekeeper:Gatekeeper.handle"
API = "producers.events_api.gate:EventGate.check"


@dataclass(frozen=True, slots=True)
class Fault:
    """What raises where; ``service`` narrows calls of AWS to one."""

    target: str
    make: Callable[[], BaseException]
    service: str = ""

    def concerns(self, arguments: tuple[Any, ...]) -> bool:
        """Tell whether a call is one that fails."""
        return not self.service or arguments[0].meta.service_model.service_name == self.service


def _error(name: str, *arguments: Any, **named: Any) -> Callable[[], BaseException]:
    """Return what makes an exception of a class, which is loaded only then."""
    module, _, kind = name.rpartition(".")
    return lambda: getattr(importlib.import_module(module), kind)(*(arguments or (SAID,)), **named)


def _refused(code: str, status: int) -> Callable[[], BaseException]:
    answer = {"Error": {"Code": code, "Message": SAID}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return _error("botocore.exceptions.ClientError", answer, "Operation")


def _of_aws(service: str) -> dict[str, Fault]:
    address = f"http://{service}.example/?name={GIVEN}&email={EMAIL}"
    makers = {
        "fails": _refused("InternalFailure", 500),
        "denies": _refused("AccessDeniedException", 403),
        "refuses": _refused("ValidationException", 400),
        "is silent": _error("botocore.exceptions.ReadTimeoutError", endpoint_url=address),
        "is damaged": _error("builtins.ValueError"),
    }
    return {f"{service} {how}": Fault(AWS, make, service) for how, make in makers.items()}


FAULTS: Mapping[str, Fault] = {
    "redis refuses": Fault(REDIS, _error("redis.exceptions.ResponseError")),
    "redis lacks memory": Fault(REDIS, _error("redis.exceptions.OutOfMemoryError")),
    "redis is read only": Fault(REDIS, _error("redis.exceptions.ReadOnlyError")),
    "redis forbids": Fault(REDIS, _error("redis.exceptions.NoPermissionError")),
    "redis is gone": Fault(REDIS, _error("redis.exceptions.ConnectionError")),
    "redis is silent": Fault(REDIS, _error("redis.exceptions.TimeoutError")),
    "redis is damaged": Fault(REDIS, _error("builtins.ValueError")),
    **_of_aws("s3"),
    **_of_aws("kinesis"),
    **_of_aws("sqs"),
    **_of_aws("sns"),
    **_of_aws("events"),
    "engine faults": Fault(ENGINE, _error("builtins.KeyError")),
    "engine meets the process's fault": Fault(ENGINE, _error("builtins.OSError", 28, SAID)),
    "engine lacks memory": Fault(ENGINE, _error("builtins.MemoryError")),
    "decoder faults": Fault(DECODER, _error("builtins.ValueError")),
    "decoder lacks a file": Fault(DECODER, _error("builtins.FileNotFoundError", 2, "none", SAID)),
    "resolver faults": Fault(RESOLVER, _error("builtins.RuntimeError")),
    "archive faults": Fault(ARCHIVE, _error("builtins.AttributeError")),
    "tick faults": Fault(TICK, _error("builtins.RuntimeError")),
    "epoch changed": Fault(EPOCH, _error("mdm_stream.index.errors.EpochChangedError", "another epoch is live")),
    "duckdb cannot convert": Fault(DUCKDB_OPENED, _error("duckdb.ConversionException")),
    "duckdb cannot open": Fault(DUCKDB_OPENED, _error("duckdb.IOException")),
    "duckdb faults": Fault(DUCKDB, _error("builtins.UnicodeError")),
    "duckdb meets the process's fault": Fault(DUCKDB, _error("builtins.OSError", 5, SAID)),
    "snowflake refuses": Fault(SNOWFLAKE, _error("snowflake.connector.errors.ProgrammingError", SAID, 100_038)),
    "snowflake fails": Fault(SNOWFLAKE, _error("snowflake.connector.errors.OperationalError", SAID, 250_001)),
    "snowflake faults": Fault(SNOWFLAKE, _error("builtins.TypeError")),
    "feed cannot be read": Fault(FEED, _error("builtins.ValueError")),
    "warehouse faults": Fault(WAREHOUSE, _error("builtins.RuntimeError")),
    "gatekeeper faults": Fault(FILES, _error("builtins.LookupError")),
    "gatekeeper meets the process's fault": Fault(FILES, _error("builtins.OSError", 28, SAID)),
    "events API faults": Fault(API, _error("builtins.KeyError")),
}
"""By what happens. An error of ours says nothing of a value; what it is raised from does."""


_RESOLVE = ("redis", "s3", "kinesis", "engine", "decoder", "resolver", "archive", "tick", "epoch")
_FILES = ("s3", "kinesis", "sqs", "sns", "events is", "events fails", "gatekeeper")
_OF_RUNTIMES: Mapping[str, Sequence[str]] = {
    "resolve": _RESOLVE,
    "kcl": _RESOLVE,
    "warehouse": ("s3", "duckdb", "feed", "warehouse"),
    "snowflake": ("snowflake",),
    "files": _FILES,
    "files-worker": _FILES,
    "events-api": ("redis", "kinesis", "s3", "events API"),
}
"""What can fail where, by the beginnings of the faults' names."""


def faults_of(runtime: str) -> dict[str, Fault]:
    """Return the faults that a runtime can meet, by name."""
    return {name: fault for name, fault in FAULTS.items() if name.startswith(tuple(_OF_RUNTIMES[runtime]))}


def install() -> None:
    """Have every target raise what the file names, from now on; to be called before a handler is imported."""
    file = Path(os.environ[FAULT_FILE])
    for target in sorted({fault.target for fault in faults_of(os.environ[RUNTIME]).values()}):
        _watch(target, lambda: FAULTS.get(file.read_text("utf-8")))


def _watch(target: str, fault_now: Callable[[], Fault | None]) -> None:
    module, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner = functools.reduce(getattr, owners, importlib.import_module(module))
    original = getattr(owner, name)

    @functools.wraps(original)
    def watched(*arguments: Any, **named: Any) -> Any:
        fault = fault_now()
        if fault is not None and fault.target == target and fault.concerns(arguments):
            raise fault.make()
        return original(*arguments, **named)

    setattr(owner, name, watched)
