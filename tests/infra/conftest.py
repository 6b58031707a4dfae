"""Terraform for the tests of infra/terraform: where it and its provider are, and a copy of the tree to run it in."""

from __future__ import annotations

from pathlib import Path

import pytest
from terraform_run import NoTerraformError, Terraform, copied_tree, terraform_in


@pytest.fixture(scope="session")
def terraform_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of infra/terraform, in which the relative paths between its folders hold."""
    try:
        return copied_tree(tmp_path_factory.mktemp("terraform"))
    except NoTerraformError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def terraform(terraform_tree: Path) -> Terraform:
    """Terraform with the provider of AWS: from a mirror, or else from where terraform finds it."""
    try:
        return terraform_in(terraform_tree)
    except NoTerraformError as error:
        pytest.skip(str(error))
