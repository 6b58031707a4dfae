"""Terraform applies the environment dev to an emulator of AWS on loopback: made, planned again, destroyed.

``make show-terraform`` (section ``apply``) does the same with files, jobs and containers, whose queues take minutes.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from aws_emulator import STUBS, emulator
from emulated_deployment import FUNCTIONS, LACKS, emulated, lacks
from terraform_run import NoTerraformError, Terraform, copied_tree, terraform_in
from terraform_tree import resources

pytestmark = pytest.mark.timeout(1_800)
RESOURCES_MIN = 100


@pytest.fixture
def own_terraform(tmp_path: Path) -> Terraform:
    """Terraform with a copy of the tree that no other test writes to."""
    try:
        return terraform_in(copied_tree(tmp_path))
    except NoTerraformError as error:
        pytest.skip(str(error))


def test_an_environment_is_made_planned_again_without_a_change_and_destroyed(own_terraform, tmp_path):
    """What differs in the second plan is what the emulator is known to lose, and after the end nothing is left."""
    with emulator(tmp_path / "emulator.log") as address:
        run = emulated(own_terraform, address)
        run.start(FUNCTIONS)
        run.apply()
        found = run.second_plan()
        run.destroy()
        left = run.in_state()
    assert [each for each in found if not lacks().excuses(each)] == []
    assert run.kinds.total() >= RESOURCES_MIN
    assert left == []


def test_what_the_emulator_lacks_has_its_reason():
    """Each kind that is left out is one of a module, and each reason is a sentence."""
    document = json.loads(LACKS.read_text("utf-8"))
    reasons = [*document["left_out"].values(), *document["loses"].values(), *STUBS.values()]
    assert [reason for reason in reasons if len(reason) < 30 or not reason.endswith(".")] == []
    kinds = {found.block.labels[0] for found in resources()}
    said, unsaid = lacks().not_applied(Counter())
    assert said | unsaid == kinds
    assert [name for name in document["loses"] if name.split(".")[0] not in kinds] == []
