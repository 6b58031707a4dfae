"""The page on capacity has the tables of the command, and environments are as Terraform has them."""

from __future__ import annotations

import re

import pytest
from source_tree import ROOT

from mdm_stream.capacity.environments import ENVIRONMENTS
from mdm_stream.capacity.page import page_tables
from mdm_stream.capacity.tables import default_prices, measured_table, price_table

PAGE = (ROOT / "docs" / "operate" / "capacity.md").read_text("utf-8")
FOLDER = ROOT / "infra" / "terraform"


@pytest.mark.slow
def test_the_page_has_the_tables_of_the_command() -> None:
    """Who plans by the page plans by the command: write it anew from `mdm-stream capacity --markdown`."""
    for name, table in page_tables(measured_table(), price_table()).items():
        assert table in PAGE, name


def test_every_price_has_its_unit_and_its_page() -> None:
    """A price that cannot be looked up is no input."""
    prices = default_prices()
    assert re.fullmatch(r"20\d\d-\d\d", prices["as_of"])
    assert "no quote" in prices["note"]
    for name, each in prices["usd"].items():
        assert each["unit"], name
        assert re.fullmatch(r"[a-z.]+\.(com|aws)/[\w/-]+", each["page"]), name


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_is_as_terraform_has_it(name: str) -> None:
    """Nodes, replicas, shards, retention, zones, log retention and budget are those of the configuration."""
    folder = FOLDER / "environments" / name
    if not folder.is_dir():
        pytest.skip(f"there is no {folder.relative_to(ROOT)}")
    main, variables = (folder / "main.tf").read_text("utf-8"), (folder / "variables.tf").read_text("utf-8")
    defaults = (FOLDER / "modules" / "deployment" / "variables.tf").read_text("utf-8")
    each = ENVIRONMENTS[name].footprint
    budget = re.search(r'variable "monthly_usd" \{[^}]*?default\s*=\s*(\d+)', variables)
    assert budget is not None
    assert int(budget[1]) == ENVIRONMENTS[name].budget_usd
    assert f'node_type = "{each.node_type}"' in main
    assert number("replicas", main, 1) == each.replicas
    assert number("availability_zones", main, 2) == each.zones
    assert number("endpoint_zones", main, 2) == each.endpoint_zones
    assert number("log_retention_days", main, 30) == each.log_retention_days
    for stream, shards in (("changes", each.change_shards), ("golden", each.golden_shards)):
        line = re.search(rf"^\s*{stream}\s*=\s*\{{(.*)\}}", main, re.MULTILINE)
        text = line[1] if line else ""
        assert number("shards", text, None) == shards
        assert number("retention_hours", text, 168) == each.retention_hours
    assert each.on_demand == (each.change_shards is None)
    assert "replicas          = optional(number, 1)" in defaults
    assert defaults.count("retention_hours = optional(number, 168)") == 3


def number(name: str, text: str, default: int | None) -> int | None:
    """Return the number that a text of Terraform gives to a name, or a default."""
    found = re.search(rf"\b{name}\s*=\s*(\d+)", text)
    return int(found[1]) if found else default
