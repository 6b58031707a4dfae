"""The Java process that a session starts says nothing where a command answers."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from mdm_stream.reconcile.session import JAVA_OPTIONS


@pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed, which Spark needs")
def test_warnings_of_java_are_no_part_of_an_answer() -> None:
    """Stdout may be JSON; by itself Java writes its warnings there."""
    warned = subprocess.run(["java", "-XX:+UseLargePages", "-version"], capture_output=True, check=True)
    if b"warning" not in warned.stdout:
        pytest.skip("this machine gives Java nothing to warn of")
    quiet = subprocess.run(
        ["java", *JAVA_OPTIONS.split(), "-XX:+UseLargePages", "-version"], capture_output=True, check=True
    )
    assert quiet.stdout == b""
    assert b"warning" in quiet.stderr
