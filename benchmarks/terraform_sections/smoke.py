"""The real zips, deployed by Terraform to an emulator that runs them: seconds from an event to what becomes of it.

The first event is one of a cold start of each function. The emulator waits for no batching window, so what is shown is
what the functions take. What stands for AWS and Snowflake is in ``tests/support/smoke_world``. Needs Terraform with its
provider, and ``make ministack``; ``MDM_SMOKE_PACKAGES`` names a folder with zips, which are built anew otherwise.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from local_snowflake import local_snowflake
from show import Show

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "support"))

from function_emulator import missing
from smoke_world import NoPackagesError, SmokeWorld, smoke_packages
from terraform_run import NoTerraformError, Terraform, copied_tree, terraform_in

WHAT = "the smoke test"
PEOPLE = ("Grace Hopper", "Ada Lovelace", "Mary Jackson", "Hedy Lamarr", "Dorothy Vaughan", "Joan Clarke")
COLD_S_MAX, WARM_S_MAX = 30.0, 5.0
MANIFEST_S_MAX, APPLY_S_MAX = 60.0, 300.0


def figures(show: Show, scratch: Path) -> None:
    """Build, deploy, and follow events and a file."""
    found = _surroundings(scratch)
    if isinstance(found, str):
        if "smoke" in show.only:
            show.figure(WHAT, found, floor="it runs", holds=False)
        else:
            show.fact(WHAT, f"skipped: {found}")
        return
    terraform, packages = found
    (scratch / "world").mkdir()
    with local_snowflake() as server, SmokeWorld(scratch / "world", terraform, packages, server) as world:
        took = f"{world.apply_s:.0f} s for {world.resources} resources and data sources"
        show.figure("terraform apply", took, floor=f"{APPLY_S_MAX:g} s", holds=world.apply_s <= APPLY_S_MAX)
        same = [name for name, given in world.outputs["settings"].items() if _is_set(world, name, given)]
        show.figure("functions with the settings of Terraform's outputs, whole", ", ".join(same),
                    floor="all four", holds=len(same) == len(world.outputs["functions"]))  # fmt: skip
        arrivals = [world.follow(str(number), *name.split()) for number, name in enumerate(PEOPLE)]
        for where in ("index", "feed", "warehouse"):
            seconds = [getattr(each, f"{where}_s") for each in arrivals]
            cold, warm = seconds[0], statistics.median(seconds[1:])
            name = f"from event to {where}"
            show.figure(f"{name}, cold", f"{cold:.2f} s", floor=f"{COLD_S_MAX:g} s", holds=cold <= COLD_S_MAX)
            show.figure(f"{name}, warm, median of {len(seconds) - 1}", f"{warm:.3f} s",
                        floor=f"{WARM_S_MAX:g} s", holds=warm <= WARM_S_MAX)  # fmt: skip
        began_s = time.monotonic()
        world.drop_file()
        (manifest,) = world.waited(world.manifests_of_ends, "a manifest")
        took_s = time.monotonic() - began_s
        said = f"{took_s:.2f} s, {manifest['state']}, {manifest['accepted']} of {manifest['rows']} rows accepted"
        holds = took_s <= MANIFEST_S_MAX and manifest["state"] == "done" and manifest["accepted"] == manifest["rows"]
        show.figure("from file to manifest, cold", said, floor=f"{MANIFEST_S_MAX:g} s, all rows", holds=holds)
        refused = sorted(world.way_out.refused)
        show.figure("asked for outside AWS and Snowflake", refused or "nothing", floor="nothing", holds=not refused)


def _surroundings(scratch: Path) -> tuple[Terraform, Path] | str:
    """Return Terraform and the folder with zips, or what is missing."""
    if said := missing():
        return said
    for name in ("terraform", "packages"):
        (scratch / name).mkdir()
    try:
        return terraform_in(copied_tree(scratch / "terraform")), smoke_packages(scratch / "packages")
    except (NoTerraformError, NoPackagesError) as error:
        return str(error)


def _is_set(world: SmokeWorld, name: str, given: dict[str, str]) -> bool:
    return name in world.outputs["functions"] and world.configuration(name)["Environment"]["Variables"] == given
