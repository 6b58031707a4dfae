"""The page on capacity has the tables of the command, and environments are as Terraform has them."""

from __future__ import annotations

import re

import pytest
from source_tree import ROOT
from terraform_environments import configured_sizes

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
    sizes = configured_sizes(name)
    assert sizes.pop("budget_usd") == ENVIRONMENTS[name].budget_usd
    each = ENVIRONMENTS[name].footprint
    assert sizes == {size: getattr(each, size) for size in sizes}
    assert each.on_demand == (each.change_shards is None)
    defaults = (FOLDER / "modules" / "deployment" / "variables.tf").read_text("utf-8")
    assert "replicas          = optional(number, 1)" in defaults
    assert defaults.count("retention_hours = optional(number, 168)") == 3
