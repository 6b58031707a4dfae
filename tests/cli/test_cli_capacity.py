"""``mdm-stream capacity``: tables for people, one document for programs, and inputs of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mdm_stream.capacity.environments import ENVIRONMENTS
from mdm_stream.capacity.page import VOLUMES
from mdm_stream.capacity.workload import ALL_PARTS
from mdm_stream.cli.commands.capacity import PARTS, capacity
from mdm_stream.errors import ConfigurationError


def run(*arguments: str) -> str:
    """Run the command and return what it says."""
    result = CliRunner().invoke(capacity, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def document(*arguments: str) -> dict[str, object]:
    """Run the command with --json and return its document."""
    told: dict[str, object] = json.loads(run(*arguments, "--json"))
    return told


def test_without_a_volume_it_is_a_table_of_all() -> None:
    """A row from 100,000 to a billion, with the dates of both tables below; as JSON a document each."""
    said = run()
    assert all(f"{volume:,}" in said for volume in VOLUMES)
    assert "no quote" in said
    told = json.loads(run("--json"))["volumes"]
    assert [each["workload"]["events_per_day"] for each in told] == list(VOLUMES)


def test_one_volume_has_its_lines_its_day_and_its_bill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line has its formula, the bill its quantities and prices, and the sum is the table's."""
    monkeypatch.setenv("COLUMNS", "200")
    said = run("--events-per-day", "100000")
    for words in ("shards of the change stream", "ceil(max(busiest / 1,000", "p50, p95, p99", "lambda_gb_s", "sum"):
        assert words in said
    told = document("--events-per-day", "100000")
    assert f"{told['usd_a_month']:,.2f}" in said
    assert told["day"] is not None
    assert told["warnings"] == []


def test_an_environment_has_its_sizes() -> None:
    """Those of the environment, at its volume or another."""
    told, load = document("--environment", "prod"), ENVIRONMENTS["prod"].load
    assert told["workload"]["events_per_day"] == load.events_per_day  # type: ignore[index]
    assert told["footprint"]["node_type"] == "cache.r7g.large"  # type: ignore[index]
    other = document("--environment", "prod", "--events-per-day", "7")
    assert other["workload"]["events_per_day"] == 7  # type: ignore[index]


def test_what_the_command_line_says_goes_before_defaults() -> None:
    """Options of the volume and of the choices, parts that there are not, and warnings about what is too small."""
    volume = ("--events-per-day", "200000000", "--records", "5", "--outage", "0")
    chosen = ("--change-shards", "18", "--without", "warehouse", "--node-type", "cache.t4g.small", "--window", "2")
    told = document(*volume, *chosen)
    assert told["sizing"]["changes"]["because"] == "given"  # type: ignore[index]
    assert told["sizing"]["warehouse"] is None  # type: ignore[index]
    assert told["sizing"]["window_s"] == 2  # type: ignore[index]
    assert told["workload"]["records_held"] == 5  # type: ignore[index]
    assert "look out: the golden stream" in run("--events-per-day", "100000000", "--golden-shards", "1")


def test_prices_and_measured_inputs_are_yours(tmp_path: Path) -> None:
    """YAML or JSON, in part; half the price of a node is half of that item, and a slower CPU is more GB-seconds."""
    prices, measured = tmp_path / "prices.yaml", tmp_path / "measured.json"
    prices.write_text("nodes: {cache.r7g.large: 0.0876}\nlambda_requests: 2e-7\n")
    measured.write_text('{"cpu_ms_an_event": {"1": 43, "500": 9}}')
    arguments = ("--environment", "prod", "--events-per-day", "1000")
    plain, own = document(*arguments), document(*arguments, "--prices", str(prices), "--measured", str(measured))
    usd = [
        next(item["usd"] for item in each["costs"] if item["price"] == "cache.r7g.large")  # type: ignore[attr-defined]
        for each in (plain, own)
    ]
    assert usd[1] == pytest.approx(usd[0] / 2)
    assert own["sizing"]["gb_s"] > plain["sizing"]["gb_s"]  # type: ignore[index]
    assert own["prices"]["as_of"] == "given"  # type: ignore[index]


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "secrets: dear", "unheard: 1"])
def test_a_faulty_file_is_an_error(tmp_path: Path, text: str) -> None:
    """Nothing, a list, no YAML, no number, and a name that there is not."""
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError):
        run("--prices", str(file))


def test_parts_are_those_of_the_model() -> None:
    """The command names every part that a deployment may be without."""
    assert set(PARTS) == ALL_PARTS
