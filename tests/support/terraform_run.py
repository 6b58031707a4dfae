"""Running Terraform on a copy of infra/terraform, with the provider of AWS from a mirror where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from terraform_tree import TERRAFORM

PROVIDER = "registry.terraform.io/hashicorp/aws"
MIRRORS = ("/opt/*", "/usr/share/terraform/*", "/usr/local/share/terraform/*", "~/.terraform.d/*")
"""Where mirrors of providers lie, unpacked; ``TF_PLUGIN_DIR`` names one at another place."""
RUN_S = 550
INIT_S = 240
INIT = ("init", "-input=false", "-no-color")


class NoTerraformError(Exception):
    """Terraform or its provider of AWS is not to be had; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Terraform:
    """Runs terraform in a copy of the tree, so that nothing is left in the checkout."""

    tree: Path
    environment: Mapping[str, str] = field(repr=False)

    def run(self, folder: str, *words: str, timeout_s: float = RUN_S) -> subprocess.CompletedProcess[str]:
        """Run a command in a folder of the tree, and return how it ended."""
        return subprocess.run(
            ["terraform", *words],
            cwd=self.tree / folder,
            env={**self.environment, "TF_DATA_DIR": str(self.tree.parent / "data" / folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def prepared(self, folder: str) -> None:
        """Make the provider and the modules of a folder ready, without its backend."""
        done = self.run(folder, *INIT, "-backend=false")
        assert done.returncode == 0, done.stdout + done.stderr

    def with_variables(self, more: Mapping[str, str]) -> Terraform:
        """Return the same with more variables of the environment."""
        return replace(self, environment={**self.environment, **more})


def find_mirror() -> Path | None:
    """Return a mirror of the provider on this machine, if there is one."""
    named = os.environ.get("TF_PLUGIN_DIR")
    if named:
        return Path(named)
    for pattern in MIRRORS:
        root, _, rest = str(Path(pattern).expanduser()).rpartition("/")
        found = [path for path in sorted(Path(root).glob(rest)) if any((path / PROVIDER).glob("*"))]
        if found:
            return found[0]
    return None


def copied_tree(folder: Path) -> Path:
    """Copy infra/terraform into a folder, in which the relative paths between its folders hold."""
    if shutil.which("terraform") is None:
        raise NoTerraformError("terraform is not installed: https://developer.hashicorp.com/terraform/install")
    tree = folder / "tree"
    shutil.copytree(TERRAFORM, tree, ignore=shutil.ignore_patterns(".terraform", "*.tfstate*"))
    return tree


def terraform_in(tree: Path) -> Terraform:
    """Return Terraform for a copied tree, with the provider: from a mirror, or else from where terraform finds it."""
    folder = tree.parent
    settings = folder / "terraform.rc"
    found = find_mirror()
    if found is not None:
        lines = ["provider_installation {", "  filesystem_mirror {", f'    path = "{found}"', "  }", "}"]
    else:
        cache = folder / "plugins"
        cache.mkdir()
        lines = [f'plugin_cache_dir = "{cache}"', "plugin_cache_may_break_dependency_lock_file = true"]
    settings.write_text("\n".join([*lines, ""]))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
    given = {"TF_CLI_CONFIG_FILE": str(settings), "CHECKPOINT_DISABLE": "1", "AWS_EC2_METADATA_DISABLED": "true"}
    running = Terraform(tree, {**inherited, **given})
    done = running.run("modules/schedule", *INIT, "-backend=false", timeout_s=INIT_S)
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())
        raise NoTerraformError(f"no provider of AWS (TF_PLUGIN_DIR may name a mirror that has it): {said[-300:]}")
    return running
