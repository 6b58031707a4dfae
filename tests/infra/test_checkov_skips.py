"""What Checkov asks for and the modules do not do has a reason, and nothing is skipped twice."""

from __future__ import annotations

import re

import yaml
from terraform_tree import TERRAFORM

SETTINGS = TERRAFORM / ".checkov.yaml"


def test_each_skip_has_its_reason():
    """On its own line, so that who takes a skip away knows what it was for."""
    lines = [line for line in SETTINGS.read_text("utf-8").splitlines() if line.startswith("  - ")]
    skipped = [re.fullmatch(r"  - (CKV2?_AWS_\d+) # \S.{5,}", line) for line in lines]
    assert all(skipped), lines
    names = [found[1] for found in skipped if found]
    assert names == yaml.safe_load(SETTINGS.read_text("utf-8"))["skip-check"]
    assert len(set(names)) == len(names)
