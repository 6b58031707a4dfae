"""An emulator of AWS that runs zips of Lambda functions: ministack on loopback, as ``make ministack`` installs it.

It evaluates IAM: a function has the rights of its role, and no others. It talks TLS, without which bucket policies
refuse everything. A function runs in a Python that has nothing but its package: what the package lacks is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError

import boto3
from botocore.config import Config
from source_tree import ROOT
from tls_line import server_files
from valkey_cluster import free_ports

from mdm_stream.local.servers.children import log_tail, spawn, stop_process

PYTHON = ROOT / "build" / "ministack" / "bin" / "python"
HOST = "127.0.0.1"
"""No host name: SDKs would put the name of a bucket before it."""
REGION, ACCOUNT = "eu-central-1", "123456789012"
ROOT_KEYS = {"AWS_ACCESS_KEY_ID": "root", "AWS_SECRET_ACCESS_KEY": "root-of-the-emulator"}
"""Those of the account's root, with which Terraform deploys."""
START_S = 120.0
STOP_S = 20.0

_START = """
import sys
import ministack.app as emulator
sys.executable = sys.argv.pop(1)
emulator._port_is_bindable = lambda *_: False
emulator.main()
"""
"""Functions run in another Python than the emulator, and it takes no port but the one that it was given."""


def missing() -> str:
    """Return what this machine lacks for it, or an empty text."""
    if not PYTHON.exists():
        return "ministack is not installed; `make ministack` does it"
    if shutil.which("openssl") is None:
        return "there is no openssl, which makes certificates"
    return ""


class FunctionEmulator:
    """A running emulator: ``with FunctionEmulator(folder, authority) as emulator: emulator.client("kinesis")``.

    ``authority``: the certificate of the authority that signs its own. ``beside``: more of the environment that
    functions inherit, such as the address of a proxy.
    """

    def __init__(self, folder: Path, authority: Path, beside: Mapping[str, str]) -> None:
        (self.port,) = free_ports(1)
        self.url = f"https://{HOST}:{self.port}"
        self.log = folder / "emulator.log"
        self._folder, self._authority, self._beside = folder, authority, beside
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What the account's root needs to reach it."""
        return {
            **ROOT_KEYS,
            "AWS_CA_BUNDLE": str(self._authority),
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: Any) -> Any:
        """Return a client with the rights of the account's root."""
        keys = {name.lower(): value for name, value in ROOT_KEYS.items()}
        options: Any = {**keys, "endpoint_url": self.url, "verify": str(self._authority), "region_name": REGION}
        return boto3.client(service, **options, config=Config(s3={"addressing_style": "path"}))

    def functions_log(self) -> str:
        """Return the end of what the emulator said, functions' lines among it."""
        return log_tail(self.log)

    def __enter__(self) -> Self:
        certificate, key = server_files(self._authority, HOST)
        scratch = self._folder / "functions"
        scratch.mkdir()
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            **ROOT_KEYS,
            "AUTH": "true",
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_ENABLED": "0",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_HOST": HOST,
            "MINISTACK_REGION": REGION,
            "MINISTACK_SSL_CERT": str(certificate),
            "MINISTACK_SSL_KEY": str(key),
            "PYTHONUNBUFFERED": "1",
            "SFTP_ENABLED": "0",
            "USE_SSL": "1",
            # What its functions inherit.
            "AWS_CA_BUNDLE": str(self._authority),
            "AWS_ENDPOINT_URL": self.url,
            **self._beside,
        }
        command = [str(PYTHON), "-c", _START, str(self._bare_python(scratch))]
        self._process = spawn(command, log=self.log, environment=environment)
        self._wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            stop_process(self._process, STOP_S)

    @staticmethod
    def _bare_python(folder: Path) -> Path:
        """Return a Python without what is installed: a function has its package, and the standard library."""
        program = folder / "python"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S -B "$@"\n')
        program.chmod(0o700)
        return program

    def _wait(self) -> None:
        trusted = ssl.create_default_context(cafile=str(self._authority))
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=5, context=trusted) as answer:
                    json.load(answer)
                    return
            except (URLError, OSError, ValueError):
                time.sleep(0.1)
        raise RuntimeError(f"the emulator did not start: {self.functions_log()}")
