"""What of a wheel a Lambda function does without: tests, headers, type stubs, and data of what it never calls."""

from __future__ import annotations

import gzip
import json
import re
import struct
from pathlib import PurePosixPath
from typing import Any

AWS_SERVICES = frozenset({"events", "kinesis", "s3", "secretsmanager", "sns", "sqs", "sts", "xray"})
"""Those that `mdm_stream/aws/clients.py` names; sts, by which a role is assumed; and xray, which takes traces."""

SUFFIXES = frozenset({".a", ".c", ".cmake", ".cpp", ".cxx", ".h", ".hpp", ".pxd", ".pxi", ".pyi", ".pyx", ".pth"})
NAMES = frozenset({"py.typed", "conftest.py"})
FOLDERS = frozenset({"__pycache__", "test", "tests"})

_POWERTOOLS_ABSENT = (
    *("auth_alpha/", "batch/", "circuit_breaker/", "data_masking/", "feature_flags/", "kafka/", "metadata/"),
    *("parameters/", "parser/", "streaming/"),
)

ABSENT = (
    # numpy imports these when they are asked for, and nothing here asks.
    *("numpy/_pyinstaller/", "numpy/distutils/", "numpy/doc/", "numpy/f2py/", "numpy/fft/", "numpy/ma/"),
    *(
        "numpy/polynomial/",
        "numpy/random/",
        "numpy/testing/",
        "numpy/_core/include/",
        "numpy/_core/lib/",
        "numpy/_core/_simd.",
    ),
    *("numpy/_core/_multiarray_tests.", "numpy/_core/_operand_flag_tests.", "numpy/_core/_rational_tests."),
    *("numpy/_core/_struct_ufunc_tests.", "numpy/_core/_umath_tests."),
    # Where a number is from, who its carrier is, and short numbers: only ordinary ones are read and written here.
    *("phonenumbers/carrierdata/", "phonenumbers/geodata/", "phonenumbers/shortdata/region_", "phonenumbers/tzdata/"),
    # Models of pydantic's first version are nobody's here.
    "pydantic/v1/",
    # Resources of boto3 are not used, clients are; botocore reads time zones of the system.
    *("boto3/data/", "boto3/examples/", "dateutil/zoneinfo/dateutil-zoneinfo"),
    # Logger, metrics, tracer and events are used.
    *(f"aws_lambda_powertools/utilities/{name}" for name in _POWERTOOLS_ABSENT),
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/",
    # Parquet in files and archive needs neither Flight nor Arrow's own S3, nor its C++ interface.
    *("pyarrow/include/", "pyarrow/src/", "pyarrow/_flight", "pyarrow/flight.py", "pyarrow/_s3fs"),
    *("pyarrow/libarrow_flight", "pyarrow/libarrow_python_flight", "pyarrow/libarrow_s3"),
)
"""Beginnings of paths."""

_BOTOCORE_DATA = "botocore/data/"
_NO_CODE_OF_CLIENTS = ("examples-1.json", "examples-1.json.gz")
_ENDPOINTS = "botocore/data/endpoints.json"
_SERVICE = "service-2.json.gz"
_TEXTS_ARE_READ = "clientContextParams"
"""The part of a service's model whose texts botocore reads with each call, and fails without. S3's has some."""
_METADATA = re.compile(r"(METADATA|entry_points\.txt|.*(licen[cs]e|copying|notice|authors).*)", re.IGNORECASE)
"""Of .dist-info: the version, which is a part of F, what plugins are found by, and the terms."""
_UNVERSIONED_COPY = re.compile(r"pyarrow/lib\w+\.so(\.\d+\.\d+\.\d+)?")
"""Wheels hold no links, so libraries lie there under up to three names. Each is loaded by that with one number."""

_ELF64 = b"\x7fELF\x02\x01"
_SLOWER_TWIN = re.compile(r"rapidfuzz/(fuzz|distance/metrics)_cpp\.cpython-\d+-x86_64-.*")
"""RapidFuzz has its code twice there; every x86_64 processor of Lambda has AVX2, and takes the other one."""


def is_kept(name: str) -> bool:
    """Whether a file of a wheel becomes a part of a package, by its path where it is installed."""
    path = PurePosixPath(name)
    if path.parts[0].endswith(".dist-info"):
        return _METADATA.fullmatch("/".join(path.parts[1:])) is not None
    if path.suffix in SUFFIXES or path.name in NAMES or FOLDERS & set(path.parts[:-1]):
        return False
    if name.startswith(_BOTOCORE_DATA) and len(path.parts) > 3:
        return path.parts[2] in AWS_SERVICES and path.name not in _NO_CODE_OF_CLIENTS
    return not name.startswith(ABSENT) and not any(each.fullmatch(name) for each in (_UNVERSIONED_COPY, _SLOWER_TWIN))


def asked_part(name: str, content: bytes) -> bytes:
    """Return a file of a wheel without what nothing here asks of it, by its path where it is installed.

    Of AWS that is the endpoints of other services, and what is written about those that stay: each client that is made
    reads both whole. Of a native library it is what its loader does not read.
    """
    if name == _ENDPOINTS:
        return _json(_endpoints_of(AWS_SERVICES, json.loads(content)))
    if name.startswith(_BOTOCORE_DATA) and name.endswith(f"/{_SERVICE}"):
        return gzip.compress(_json(_undocumented(json.loads(gzip.decompress(content)))), mtime=0)
    return loaded_part(content)


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _endpoints_of(services: frozenset[str], document: Any) -> Any:
    kept = [
        {**partition, "services": {name: each for name, each in partition["services"].items() if name in services}}
        for partition in document["partitions"]
    ]
    return {**document, "partitions": kept}


def _undocumented(part: Any) -> Any:
    """Return a part of a service's model without its texts; a member that is called so is none, and stays."""
    if isinstance(part, list):
        return [_undocumented(each) for each in part]
    if not isinstance(part, dict):
        return part
    texts = {name for name, each in part.items() if name == "documentation" and isinstance(each, str)}
    return {
        name: each if name == _TEXTS_ARE_READ else _undocumented(each)
        for name, each in part.items()
        if name not in texts
    }


def loaded_part(library: bytes) -> bytes:
    """Return a native library without what no loader reads, at its end: symbols for debuggers, the table of sections.

    Whatever is not a 64-bit little-endian ELF file is returned as it is. The loader goes by segments alone, which stay.
    """
    if not library.startswith(_ELF64):
        return library
    (segments_at,) = struct.unpack_from("<Q", library, 32)
    size, count = struct.unpack_from("<HH", library, 54)
    ends = [segments_at + size * count]
    for place in range(segments_at, ends[0], size):
        offset, _, _, length = struct.unpack_from("<4Q", library, place + 8)
        ends.append(offset + length)
    part = bytearray(library[: max(ends)])
    struct.pack_into("<Q", part, 40, 0)  # where the table of sections is
    struct.pack_into("<HH", part, 60, 0, 0)  # how many there are, and which names them
    return bytes(part)
