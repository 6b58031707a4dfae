"""Packages of Lambda functions: the same bytes wherever they are built, small, and enough for what they are for."""

from __future__ import annotations

import gzip
import importlib.util
import re
import subprocess
import sys
import typing
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import botocore.loaders
import botocore.session
import orjson
import pytest
from function_packages import bare_import, build, function_environment, manifest, unpacked
from source_tree import ROOT

from mdm_stream.aws.clients import Service

sys.path.insert(0, str(ROOT / ".ci" / "package"))
try:
    from functions import FUNCTIONS, UNPACKED_BYTES_MAX, needed_glibc
    from trim import AWS_SERVICES, asked_part, is_kept, loaded_part
finally:
    sys.path.pop(0)

UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|network is unreachable|unresolved dependenc", re.IGNORECASE
)
BUILT = ("resolve", "warehouse")
UNCHECKED = b"\x01\x00\x00\x00"
"""The flags of bytecode that holds its source's hash, and does not ask for the source."""


def test_every_handler_is_in_a_package():
    """Each module that Lambda may call is named by a function, and each named one is there."""
    modules = {handler.rpartition(".")[0] for function in FUNCTIONS.values() for handler in function.handlers}
    found = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in ("consumers", "producers")
        for path in (ROOT / package).rglob("*handler.py")
    }
    assert modules == found


def test_every_lock_of_a_function_has_a_package():
    """No lock file of a Lambda lies idle, and no package is built from another deployment's."""
    locks = {path.stem for path in (ROOT / "requirements").glob("lambda-*.lock")}
    assert {function.lock for function in FUNCTIONS.values()} == locks


def test_a_package_has_the_services_that_clients_are_made_of():
    """The data of each AWS service that the code can ask for is kept, and that of roles and traces."""
    assert set(typing.get_args(Service)) | {"sts", "xray"} == AWS_SERVICES


CALLS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "events": ("put_events", {"Entries": [{"Source": "s", "DetailType": "t", "Detail": "{}"}]}),
    "kinesis": ("put_records", {"StreamName": "s", "Records": [{"Data": b"d", "PartitionKey": "k"}]}),
    "s3": ("list_objects_v2", {"Bucket": "b"}),
    "secretsmanager": ("get_secret_value", {"SecretId": "s"}),
    "sns": ("publish", {"TopicArn": "arn:aws:sns:eu-west-1:123456789012:t", "Message": "m"}),
    "sqs": ("send_message", {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/q", "MessageBody": "m"}),
    "sts": ("get_caller_identity", {}),
    "xray": ("put_trace_segments", {"TraceSegmentDocuments": ["{}"]}),
}
"""A call of each service. S3's found what its trimmed model lacked: making a client had not."""


@pytest.mark.parametrize("service", sorted(AWS_SERVICES))
def test_a_client_of_a_package_can_call(service, tmp_path):
    """Data of a service as a package has it is enough to make a request, up to the line."""
    root = Path(botocore.__file__).parent / "data"
    for path in [root / "endpoints.json", *(root / service).rglob("*.json*")]:
        name = path.relative_to(root).as_posix()
        if is_kept(f"botocore/data/{name}"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(asked_part(f"botocore/data/{name}", path.read_bytes()))
    session = botocore.session.Session()
    loader = botocore.loaders.Loader(extra_search_paths=[str(tmp_path)], include_default_search_paths=False)
    for path in root.glob("*.json"):
        if not (tmp_path / path.name).exists():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    session.register_component("data_loader", loader)
    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
    client = session.create_client(service, region_name="eu-west-1", **keys)
    client.meta.events.register("before-send", _stop)
    operation, arguments = CALLS[service]
    with pytest.raises(SentError):
        getattr(client, operation)(**arguments)


class SentError(Exception):
    """A request was about to be sent."""


def _stop(**_: Any) -> None:
    raise SentError


def test_what_is_written_about_a_service_is_left_out_and_its_members_stay():
    """Endpoints of services that no client is made for go too; all else is as it was."""
    model = {"shapes": {"Item": {"documentation": "text", "members": {"documentation": {"shape": "Text"}}}}}
    kept = asked_part("botocore/data/s3/2006-03-01/service-2.json.gz", gzip.compress(orjson.dumps(model)))
    assert orjson.loads(gzip.decompress(kept)) == {
        "shapes": {"Item": {"members": {"documentation": {"shape": "Text"}}}}
    }
    endpoints = {"version": 3, "partitions": [{"regions": {"r": {}}, "services": {"s3": {}, "ec2": {}}}]}
    left = orjson.loads(asked_part("botocore/data/endpoints.json", orjson.dumps(endpoints)))
    assert left == {"version": 3, "partitions": [{"regions": {"r": {}}, "services": {"s3": {}}}]}
    assert asked_part("botocore/data/partitions.json", b"{}") == b"{}"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("numpy/__init__.py", True),
        ("numpy/__init__.pyi", False),
        ("numpy/_core/tests/test_umath.py", False),
        ("botocore/data/kinesis/2013-12-02/service-2.json.gz", True),
        ("botocore/data/ec2/2016-11-15/service-2.json.gz", False),
        ("botocore/data/partitions.json", True),
        ("google_re2-1.1.20251105.dist-info/METADATA", True),
        ("google_re2-1.1.20251105.dist-info/RECORD", False),
        ("numpy-2.2.6.dist-info/LICENSE.txt", True),
        ("pyarrow/libarrow.so.2600", True),
        ("pyarrow/libarrow_python.so", False),
        ("phonenumbers/data/region_DE.py", True),
        ("phonenumbers/geodata/data0.py", False),
        ("rapidfuzz/fuzz_cpp.cpython-312-x86_64-linux-gnu.so", False),
        ("rapidfuzz/fuzz_cpp_avx2.cpython-312-x86_64-linux-gnu.so", True),
        ("rapidfuzz/fuzz_cpp.cpython-312-aarch64-linux-gnu.so", True),
        ("mdm_stream/rules/packs/person.yaml", True),
    ],
)
def test_what_is_kept(name, kept):
    """Code, data of the services in use, versions and terms are kept; tests, stubs and what is never called are not."""
    assert is_kept(name) is kept


def test_the_glibc_of_a_library_is_the_newest_that_it_asks_for():
    """Versions are compared as numbers, and a text that only looks like one counts for nothing."""
    assert needed_glibc(b"\0GLIBC_2.4\0GLIBC_2.27\0GLIBC_2.3.4\0GLIBCXX_3.4.99\0xGLIBC_2.99\0") == (2, 27)
    assert needed_glibc(b"no library") == (0, 0)


def test_a_library_loads_without_what_is_for_debuggers(tmp_path):
    """What is left of a native module is smaller, is the beginning of it but for its header, and can be imported."""
    whole = Path(orjson.orjson.__file__)
    content, part = whole.read_bytes(), loaded_part(whole.read_bytes())
    assert len(part) < len(content)
    assert part[64:] == content[64 : len(part)]
    assert loaded_part(part) == part
    (tmp_path / whole.name).write_bytes(part)
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import orjson; print(orjson.dumps([1]), orjson.__file__)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"b'[1]' {tmp_path / whole.name}\n"
    assert loaded_part(b"#!/bin/sh") == b"#!/bin/sh"


@pytest.mark.downloads
@pytest.mark.one_redis
@pytest.mark.timeout(1_800)
def test_two_builds_are_the_same_and_run_bare(redis_url, tmp_path):
    """Built twice, in two folders, the zips are equal; each handler starts from its zip alone, and is within budget."""
    first, second = tmp_path / "first", tmp_path / "another folder"
    for folder in (first, second):
        done = build(folder, *BUILT)
        if done.returncode and UNREACHABLE.search(done.stderr):
            pytest.skip("no package index can be reached")
        assert done.returncode == 0, done.stderr
    entries = manifest(first)
    assert entries == manifest(second)
    assert set(entries) == set(BUILT)
    environment = function_environment(redis_url, tmp_path)
    for name, entry in entries.items():
        function = FUNCTIONS[name]
        assert (first / entry["file"]).read_bytes() == (second / entry["file"]).read_bytes()
        assert (first / entry["file"]).stat().st_size <= function.zipped_bytes_max
        tree = unpacked(first, entry, tmp_path / name)
        assert sum(path.stat().st_size for path in tree.rglob("*") if path.is_file()) <= UNPACKED_BYTES_MAX
        assert _without_valid_bytecode(first / entry["file"]) == []
        for handler in function.handlers:
            loaded = bare_import(tree, handler, environment)["loaded"]
            assert not {*function.never, "click", "duckdb"} & {*loaded, *(path.name for path in tree.iterdir())}


def _without_valid_bytecode(package) -> list[str]:
    """Return the modules of a package that are sources, or bytecode which this Python would not take as it is."""
    with zipfile.ZipFile(package) as archive:
        names = [name for name in archive.namelist() if name.endswith((".py", ".pyc"))]
        assert len(names) > 100
        valid = importlib.util.MAGIC_NUMBER + UNCHECKED
        return [name for name in names if name.endswith(".py") or archive.read(name)[:8] != valid]
