"""The real zips, deployed by Terraform to an emulator that runs them: events become golden records, a file a manifest.

Terraform applies ``examples/emulator``, the modules of a deployment; what an emulator lacks, and what stands for it, is
in ``smoke_world``. Zips are built anew, or are those of ``MDM_SMOKE_PACKAGES``, a folder that ``make package`` filled.
Each function has the rights of its role, by IAM's own rules, and a Python that has its zip and nothing else.

What the emulator does not do as AWS does: its event source mappings wait for no batching window, know no partial batch
response, and set nothing aside. The local event source does, and is tested for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from function_emulator import missing
from smoke_world import DROP_KEY, ROWS, NoPackagesError, SmokeWorld, smoke_packages
from terraform_run import Terraform

pytestmark = pytest.mark.timeout(1_800)

HANDLERS = {
    "resolve": "consumers.resolve.handler.handler",
    "warehouse": "consumers.warehouse.handler.handler",
    "files-gatekeeper": "producers.files.gatekeeper_handler.handler",
    "files-worker": "producers.files.worker_handler.handler",
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zips of this machine; where their wheels cannot be downloaded, there are none."""
    if reason := missing():
        pytest.skip(reason)
    try:
        return smoke_packages(tmp_path_factory.mktemp("packages"))
    except NoPackagesError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def world(
    packages: Path, terraform: Terraform, snowflake_server: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SmokeWorld]:
    """The deployment, applied once for all tests here."""
    with SmokeWorld(tmp_path_factory.mktemp("smoke"), terraform, packages, snowflake_server) as running:
        yield running


def test_what_the_zips_do_once_they_are_deployed(world):
    """One test, as the deployment is for all of it: a second worker of pytest would apply one of its own."""
    functions_are_as_terraform_says(world)
    an_event_becomes_a_golden_record(world)
    a_file_becomes_a_manifest_and_golden_records(world)
    assert world.way_out.refused == set(), "functions ask for more than AWS and Snowflake"


def functions_are_as_terraform_says(world: SmokeWorld) -> None:
    """Settings are the outputs of Terraform, whole; handlers are those of the packages."""
    settings = world.outputs["settings"]
    found = {name: world.configuration(name) for name in HANDLERS}
    assert {name: each["Environment"]["Variables"] for name, each in found.items()} == {
        name: settings[name] for name in HANDLERS
    }
    assert {name: each["Handler"] for name, each in found.items()} == HANDLERS
    assert {each["Runtime"] for each in found.values()} == {"python3.11"}


def an_event_becomes_a_golden_record(world: SmokeWorld) -> None:
    """In the index, on the feed and in a table of the warehouse: by two functions, with a role each."""
    world.follow("1", "Katherine", "Johnson")
    golden_id = world.golden_id("crm/1")
    assert golden_id is not None
    changes = [message for message in world.feed() if message["subject"] == golden_id]
    assert "mdm.golden.upserted" in [change["type"] for change in changes]
    assert len(world.rows("golden_record", "golden_id", golden_id)) == 1


def a_file_becomes_a_manifest_and_golden_records(world: SmokeWorld) -> None:
    """It accounts for every row, and the rows go the way of all events."""
    world.drop_file()
    (manifest,) = world.waited(world.manifests_of_ends, "a manifest")
    assert (manifest["state"], manifest["object"]["key"]) == ("done", DROP_KEY)
    assert manifest["rows"] == manifest["accepted"] == ROWS.count(b"\n") - 1
    assert world.waited(lambda: world.golden_id("vendor/2"), "a golden record of a row")
