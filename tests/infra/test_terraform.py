"""Each module, environment and example: formatted, valid, and what its own tests say, with a mocked provider."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from terraform_tree import TERRAFORM, folders

pytestmark = pytest.mark.timeout(1_200)


def test_every_file_is_formatted(terraform_tree: Path):
    """As ``terraform fmt -recursive infra/terraform`` writes it."""
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", "-diff"],
        cwd=terraform_tree,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", [str(path.relative_to(TERRAFORM)) for path in folders()])
def test_it_is_valid_and_its_tests_pass(terraform, folder: str):
    """Provider and modules are those that it asks for; a module without tests is no module."""
    terraform.prepared(folder)
    valid = terraform.run(folder, "validate", "-no-color")
    assert valid.returncode == 0, valid.stdout + valid.stderr
    if not any((terraform.tree / folder / "tests").glob("*.tftest.hcl")):
        assert not folder.startswith("modules/"), "a module needs tests/*.tftest.hcl"
        return
    done = terraform.run(folder, "test", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failed" in done.stdout
