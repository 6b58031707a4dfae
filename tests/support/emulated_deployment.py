"""The environment dev, applied by Terraform to the emulator: what was made, what a second plan would do, and destroyed.

What the emulator lacks is left out by an override of the environment: its name and reason are in ``LACKS``.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from source_tree import ROOT
from terraform_run import INIT, Terraform
from terraform_tree import resources

ENVIRONMENT = "environments/dev"
LACKS = ROOT / "tests" / "infra" / "emulator.json"
PARALLELISM = 60
"""Most of the time Terraform waits for what AWS would take to become consistent, whatever answers: so all at once."""
QUIETLY = ("-input=false", "-no-color", f"-parallelism={PARALLELISM}")
APPLY_S = 1_500
DIGEST = "sha256:" + "0123456789abcdef" * 4
CALLER = "arn:aws:sts::123456789012:assumed-role/crm-writer/*"
REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
ACCOUNT = {"AWS_ACCESS_KEY_ID": "emulated", "AWS_SECRET_ACCESS_KEY": "emulated", "AWS_REGION": "eu-central-1"}

OVERRIDE = """\
terraform {
  backend "local" {}
}

provider "aws" {
  s3_use_path_style = true
  max_retries       = 2
}

module "deployment" {
  index = {
    existing = {
      url            = "rediss://mdm@index.example.internal:6379/0?iam=elasticache:mdm-dev-index"
      connect_action = "elasticache:Connect"
      connect_arns = [
        "arn:aws:elasticache:eu-central-1:123456789012:replicationgroup:mdm-dev-index",
        "arn:aws:elasticache:eu-central-1:123456789012:user:mdm-dev-index",
      ]
    }
  }
"""

LEAST: Mapping[str, Any] = {
    "region": "eu-central-1",
    "alarm_emails": ["team@example.com"],
    "packages": {"folder": "../../mocks/packages", "glue_folder": "../../mocks/packages"},
}


@dataclass(frozen=True, slots=True)
class Composition:
    """Variables of the environment, and what its override adds to the module ``deployment``."""

    variables: Mapping[str, Any]
    override: str = ""


FUNCTIONS = Composition(
    {
        "snowflake": {
            "account": "org-account",
            "user": "MDM_WRITER",
            "database": "MDM",
            "schema": "GOLDEN",
            "warehouse": "MDM_WH",
        },
        "api_authorizer": {"jwt": {"issuer": "https://issuer.example.org", "audience": ["mdm"]}},
        "commands_image": f"{REGISTRY}/mdm-commands@{DIGEST}",
    }
)
"""Functions that read streams, the API, and a scheduled container."""

FILES_AND_JOBS = Composition(
    {
        **FUNCTIONS.variables,
        "files_image": f"{REGISTRY}/mdm-files@{DIGEST}",
        "reconciled_domains": ["person"],
    },
    f"""
  captures = {{
    shop = {{
      image         = "{REGISTRY}/mdm-postgres-reader@{DIGEST}"
      address       = "postgresql://reader@db.example.internal/shop?sslmode=require"
      password_from = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf:password::"
    }}
  }}
""",
)
"""The same with files, whose queues take Terraform two minutes, the job on Glue, and a database that is captured."""

CONTAINERS = Composition(
    {},
    f"""
  resolve   = null
  kcl       = {{ image = "{REGISTRY}/mdm-kcl@{DIGEST}" }}
  api       = {{ authorizer = {{ iam = {{}} }} }}
  authority = {{ policy = jsonencode({{ callers = {{ "{CALLER}" = {{ allowed_sources = ["crm"] }} }} }}) }}
""",
)
"""The resolve consumer under the KCL, and the API for signed requests: what the others have instead."""

COMPOSITIONS = {"functions": FUNCTIONS, "files and jobs": FILES_AND_JOBS, "containers": CONTAINERS}


@dataclass(frozen=True, slots=True)
class Difference:
    """An attribute of a resource that a second plan would change; ``**`` where it would make, replace or end it."""

    address: str
    resource: str
    attribute: str
    before: Any
    after: Any


@dataclass(slots=True)
class Emulated:
    """What has been done, and how long it took."""

    terraform: Terraform
    seconds: dict[str, float] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)

    def start(self, composition: Composition) -> None:
        """Write the environment's override and variables, and make provider and modules ready."""
        folder = self.terraform.tree / ENVIRONMENT
        (folder / "emulator_override.tf").write_text(f"{OVERRIDE}{composition.override}}}\n")
        (folder / "emulator.auto.tfvars.json").write_text(json.dumps({**LEAST, **composition.variables}))
        self._done("init", *INIT, "-reconfigure")

    def apply(self) -> None:
        """Make everything, and count it by kind."""
        self._done("apply", "apply", "-auto-approve", *QUIETLY)
        self.kinds = Counter(self.in_state())

    def second_plan(self) -> list[Difference]:
        """Plan once more, and return what that would change."""
        self._done("second plan", "plan", "-out=second", *QUIETLY)
        shown = self._done("show", "show", "-json", "second")
        return [each for change in json.loads(shown)["resource_changes"] for each in differences(change)]

    def destroy(self) -> None:
        """Take everything away."""
        self._done("destroy", "destroy", "-refresh=false", "-auto-approve", *QUIETLY)

    def in_state(self) -> list[str]:
        """Return the kinds of all resources that Terraform knows of, one for each."""
        found = self.terraform.run(ENVIRONMENT, "state", "list")
        addresses = [line for line in found.stdout.splitlines() if ".data." not in f".{line}"]
        return [kind_of(address) for address in addresses]

    def _done(self, name: str, *words: str) -> str:
        began_s = time.monotonic()
        done = self.terraform.run(ENVIRONMENT, *words, timeout_s=APPLY_S)
        self.seconds[name] = time.monotonic() - began_s
        assert done.returncode == 0, f"{name}: {done.stderr[-6_000:]}"
        return done.stdout


def kind_of(address: str) -> str:
    """Return the type of a resource's address, such as ``aws_sqs_queue``."""
    plain = address.split('["', maxsplit=1)[0] if address.endswith('"]') else address
    return plain.rsplit(".", 2)[-2]


def differences(change: Mapping[str, Any]) -> list[Difference]:
    """Return the differences of one resource in a plan as ``terraform show -json`` has it."""
    what, address, kind = change["change"], change["address"], change["type"]
    if what["actions"] in (["no-op"], ["read"]) or change["mode"] == "data":
        return []
    if what["actions"] != ["update"]:
        return [Difference(address, kind, "**", what["actions"], None)]
    before, after, unknown = what["before"], what["after"], what["after_unknown"]
    names = sorted({*before, *after})
    return [
        Difference(address, kind, name, before.get(name), "unknown" if unknown.get(name) else after.get(name))
        for name in names
        if before.get(name) != after.get(name) and not (unknown.get(name) and name.endswith("_all"))
    ]


@dataclass(frozen=True, slots=True)
class Lacks:
    """What the emulator lacks, as ``LACKS`` has it: kinds that are left out, and attributes that it loses."""

    left_out: Mapping[str, str]
    loses: Mapping[str, str]

    def excuses(self, difference: Difference) -> bool:
        """Tell whether a difference is one that the emulator makes."""
        return f"{difference.resource}.{difference.attribute}" in self.loses

    def not_applied(self, *applied: Counter[str]) -> tuple[set[str], set[str]]:
        """Return kinds that modules have and nothing applied: those with a reason, and those without."""
        there = {kind for kinds in applied for kind in kinds}
        missing = {found.block.labels[0] for found in resources()} - there  # type: ignore[attr-defined]
        said = {kind for kind in missing if any(fnmatchcase(kind, pattern) for pattern in self.left_out)}
        return said, missing - said


def lacks() -> Lacks:
    """Read what the emulator lacks."""
    document = json.loads(LACKS.read_text("utf-8"))
    return Lacks(document["left_out"], document["loses"])


def emulated(terraform: Terraform, address: str) -> Emulated:
    """Return the environment of a copied tree on an emulator, of which nothing has been applied."""
    return Emulated(terraform.with_variables({**ACCOUNT, "AWS_ENDPOINT_URL": address}))
