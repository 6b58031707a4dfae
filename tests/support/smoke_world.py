"""A deployment from the real zips, which Terraform makes of ``examples/emulator`` on an emulator that runs them.

Terraform makes functions, event source mappings, streams, buckets, queues, roles and settings. Nothing of a function is
set here; what is in the place of AWS, and of Snowflake, is reached because

- the emulator answers in the place of AWS (``AWS_ENDPOINT_URL``, which Lambda's functions do not have),
- the cache is a Valkey of this machine behind TLS, whose user has the rights of module ``index_rights``. It takes any
  token; that a role may ask for one is not looked at,
- the Snowflake connector reaches its account through a proxy (``HTTPS_PROXY``), which leads to fakesnow behind TLS,
- all these certificates are of an authority of its own (``AWS_CA_BUNDLE``, ``REQUESTS_CA_BUNDLE``, and in the address
  of the cache), and the rule set is a file of this machine, where a layer would have it below ``/opt``.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import orjson
import redis
from egress_line import EgressLine
from function_emulator import REGION, FunctionEmulator
from function_packages import MACHINE, build
from terraform_run import INIT, Terraform
from tls_line import TlsLine, make_authority, server_context
from valkey_cluster import Node, free_ports, until

from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rules import load_ruleset

EXAMPLE = "examples/emulator"
ZIPS = ("resolve", "warehouse", "files")
NAME, CACHE_HOST, ACCOUNT_HOST = "mdm-smoke", "localhost", "mdm-smoke.snowflakecomputing.com"
SNOWFLAKE = {"account": "mdm-smoke", "user": "GOLDEN_WRITER", "database": "SMOKE", "schema": "GOLDEN", "lag_s": 0}
PARALLELISM = 60
"""Most of the time Terraform waits for what AWS would take to become consistent, whatever answers: so all at once."""
APPLY_S = 1_500
WAIT_S = 300.0
PAUSE_S, ROWS_PAUSE_S = 0.01, 0.2
"""Between two looks. fakesnow is in this process: a look at a table takes from it what it has for the function."""

RULES = """\
extends: person
version: 1
sources:
  crm:
    format: canonical
    attributes: {given_name: given_name, family_name: family_name}
  vendor:
    format: csv
    key: id
    attributes: {given_name: first, family_name: last, city: town}
    files: {rejected_share_max: 0.1}
"""
ROWS = b"id,first,last,town\n1,Grace,Hopper,Arlington\n2,Ada,Lovelace,London\n"
DROP_KEY = "person/vendor/customers.csv"


class NoPackagesError(Exception):
    """A zip could not be built; the message says which, and why."""


def smoke_packages(folder: Path) -> Path:
    """Return that of ``MDM_SMOKE_PACKAGES``, or this one with zips built into it; ``RuntimeError`` for a faulty one."""
    if given := os.environ.get("MDM_SMOKE_PACKAGES"):
        return Path(given).absolute()
    built = build(folder, *ZIPS)
    absent = [name for name in ZIPS if not (folder / f"{name}-{MACHINE}.zip").exists()]
    if absent:
        raise NoPackagesError(f"no zip of {', '.join(absent)}: {' '.join(built.stderr.split())[-300:]}")
    if built.returncode:
        raise RuntimeError(built.stderr)
    return folder


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Seconds from the event until its golden record was in the index, a change on the feed, and a row in a table."""

    index_s: float
    feed_s: float
    warehouse_s: float


_FoundT = TypeVar("_FoundT")


class SmokeWorld:
    """A deployment that is up: ``with SmokeWorld(folder, terraform, packages, snowflake) as world: world.follow("1")``.

    ``packages``: the folder with the zips of this machine. ``snowflake``: connection arguments of fakesnow's server.
    """

    def __init__(self, folder: Path, terraform: Terraform, packages: Path, snowflake: Mapping[str, Any]) -> None:
        self._folder, self._packages, self._snowflake = folder, packages, dict(snowflake)
        self._stack = ExitStack()
        self._terraform = terraform
        self._reader: Any = None
        self.outputs: dict[str, Any] = {}
        self.apply_s = 0.0
        self.resources = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._deploy()
            self._fill()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader is not None:
            self._reader.close()
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        authority = make_authority(self._folder / "authority")
        (port,) = free_ports(1)
        self._cache = Node(port, self._folder / "cache")
        self._cache.start()
        stack.callback(self._cache.stop, kill=True)
        until(lambda: self._cache.ask("PING"), "the cache answers")
        line = TlsLine(port, server_context(authority, CACHE_HOST))
        stack.callback(line.close)
        fakesnow_port = int(self._snowflake["port"])
        account = TlsLine(fakesnow_port, server_context(authority, ACCOUNT_HOST))
        stack.callback(account.close)
        # Its address of a stage has no TLS.
        self.way_out = EgressLine({ACCOUNT_HOST: account.port}, {ACCOUNT_HOST: fakesnow_port})
        stack.callback(self.way_out.close)
        beside = {
            "HTTPS_PROXY": self.way_out.url,
            "HTTP_PROXY": self.way_out.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "REQUESTS_CA_BUNDLE": str(authority),
        }
        self.emulator = stack.enter_context(FunctionEmulator(self._folder, authority, beside))
        self._rules = self._folder / "vendor.yaml"
        self._rules.write_text(RULES)
        self._redis_url = f"rediss://{NAME}@{CACHE_HOST}:{line.port}/0?iam=elasticache:{NAME}&ssl_ca_certs={authority}"

    def _deploy(self) -> None:
        variables = {
            "name": NAME,
            "region": REGION,
            "packages": {"folder": str(self._packages), "architecture": MACHINE},
            "rules": [str(self._rules)],
            "redis_url": self._redis_url,
            "snowflake": SNOWFLAKE,
        }
        (self._terraform.tree / EXAMPLE / "smoke.auto.tfvars.json").write_text(json.dumps(variables))
        terraform = self._terraform.with_variables(self.emulator.environment)
        began_s = time.monotonic()
        for words in (INIT, ("apply", "-input=false", "-no-color", "-auto-approve", f"-parallelism={PARALLELISM}")):
            done = terraform.run(EXAMPLE, *words, timeout_s=APPLY_S)
            if done.returncode:
                raise RuntimeError(f"terraform {words[0]}: {(done.stdout + done.stderr)[-6_000:]}")
        self.apply_s = time.monotonic() - began_s
        said = terraform.run(EXAMPLE, "output", "-json").stdout
        self.outputs = {name: each["value"] for name, each in json.loads(said).items()}
        self.resources = len(terraform.run(EXAMPLE, "state", "list").stdout.splitlines())

    def _fill(self) -> None:
        """Do what an operator does after the first apply, and give the cache's user its rights."""
        command = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
        key = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
        secret = self.outputs["secrets_to_fill"]["warehouse"]
        self.emulator.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=key)
        rights = self.outputs["index_access_string"].split()
        self._cache.ask("ACL", "SETUSER", NAME, "reset", *rights, "nopass")

    def configuration(self, function: str) -> dict[str, Any]:
        """Return what the emulator knows of a function."""
        name = self.outputs["functions"][function]["name"]
        return dict(self.emulator.client("lambda").get_function_configuration(FunctionName=name))

    def put_person(self, record_id: str, given_name: str, family_name: str) -> None:
        """Put a change of a person's record on the change stream, as a source does."""
        event = {
            "domain": "person",
            "source": "crm",
            "record_id": record_id,
            "op": "upsert",
            "version": 1,
            "event_time": "2026-03-02T08:00:00Z",
            "attributes": {"given_name": given_name, "family_name": family_name},
        }
        stream = self.outputs["streams"]["changes"]["name"]
        self.emulator.client("kinesis").put_record(StreamName=stream, Data=orjson.dumps(event), PartitionKey=record_id)

    def follow(self, record_id: str, given_name: str, family_name: str) -> Arrivals:
        """Put a person's record on the change stream, and wait until it has arrived everywhere."""
        began_s = time.monotonic()
        self.put_person(record_id, given_name, family_name)
        golden_id = self.waited(lambda: self.golden_id(f"crm/{record_id}"), "a golden record")
        index_s = time.monotonic() - began_s
        self.waited(lambda: golden_id in self.feed_ids(), "a change on the feed")
        feed_s = time.monotonic() - began_s
        look = partial(self.rows, "golden_record", "golden_id", golden_id)
        self.waited(look, "a row in the warehouse", ROWS_PAUSE_S)
        return Arrivals(index_s, feed_s, time.monotonic() - began_s)

    def golden_id(self, ref: str) -> str | None:
        """Return the golden id of a record, None while the index has none."""
        with redis.Redis(port=self._cache.port) as client:
            if not client.dbsize():
                return None
            return RedisIndex(client, load_ruleset(self._rules), create=False).golden_of([ref]).get(ref)

    def feed_ids(self) -> set[str]:
        """Return the golden ids of all records that the feed says are there."""
        return {message["subject"] for message in self.feed() if message["type"] == "mdm.golden.upserted"}

    def feed(self) -> list[dict[str, Any]]:
        """Return all messages on the golden feed."""
        client, stream = self.emulator.client("kinesis"), self.outputs["streams"]["golden"]["name"]
        found = []
        for shard in client.list_shards(StreamName=stream)["Shards"]:
            place = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            answer = client.get_records(ShardIterator=client.get_shard_iterator(**place)["ShardIterator"])
            found += [orjson.loads(record["Data"]) for record in answer["Records"]]
        return found

    def rows(self, table: str, column: str, value: str) -> list[Any]:
        """Return the rows of a table with a value in a column, none while there is no such table."""
        import snowflake.connector  # noqa: PLC0415 - a second

        if self._reader is None:
            given = {**self._snowflake, "database": SNOWFLAKE["database"], "schema": SNOWFLAKE["schema"]}
            self._reader = snowflake.connector.connect(**given)
        try:
            with self._reader.cursor() as cursor:
                cursor.execute(f"SELECT * FROM {table} WHERE {column} = %s", (value,))
                return list(cursor.fetchall())
        except snowflake.connector.errors.ProgrammingError:
            return []

    def drop_file(self, content: bytes = ROWS) -> None:
        """Put a file into the bucket of drops, as a vendor does."""
        bucket = self.outputs["buckets"]["drop"]["name"]
        self.emulator.client("s3").put_object(Bucket=bucket, Key=DROP_KEY, Body=content)

    def manifests(self) -> list[dict[str, Any]]:
        """Return the manifests in the store of loads."""
        loads, client = self.outputs["buckets"]["loads"], self.emulator.client("s3")
        listed = client.list_objects_v2(Bucket=loads["name"], Prefix=f"{loads['prefix']}/loads/").get("Contents", [])
        keys = [each["Key"] for each in listed if each["Key"].endswith("/manifest.json")]
        return [orjson.loads(client.get_object(Bucket=loads["name"], Key=key)["Body"].read()) for key in keys]

    def manifests_of_ends(self) -> list[dict[str, Any]]:
        """Return those of loads that have ended, in whichever way."""
        return [manifest for manifest in self.manifests() if manifest["state"] in {"done", "failed", "held"}]

    def waited(self, look: Callable[[], _FoundT | None], what: str, pause_s: float = PAUSE_S) -> _FoundT:
        """Wait until something is there, and return it; ``AssertionError`` with the functions' log where it is not."""
        deadline_s = time.monotonic() + WAIT_S
        while time.monotonic() < deadline_s:
            if found := look():
                return found
            time.sleep(pause_s)
        raise AssertionError(f"after {WAIT_S:.0f} s still not {what}: {self.emulator.functions_log()}")
