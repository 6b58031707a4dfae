"""What changed between two profiles: found where it is, and not where nothing changed or too little is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mdm_stream.cli.main import run
from mdm_stream.errors import ConfigurationError
from mdm_stream.reconcile.profile_drift import DriftLimits, compare_profiles, divergence_of

SCHEMA = pa.schema([
    ("source", pa.string()), ("attribute", pa.string()), ("records", pa.int64()), ("completeness", pa.float64()),
    ("conformity", pa.float64()), ("distinctness", pa.float64()),
])  # fmt: skip
SHARES = pa.schema(
    [("source", pa.string()), ("attribute", pa.string()), ("digest", pa.string()), ("share", pa.float64())]
)
CITIES = {"aaaaaa": 0.5, "bbbbbb": 0.3}


def profile(folder: Path, shares: dict[str, float] | None = None, domain: str = "person", **row: Any) -> Path:
    """Write what is compared of a profile of one attribute of one source."""
    default = {"source": "crm", "attribute": "city", "records": 1_000, "completeness": 0.9, "conformity": 1.0}
    table = pa.Table.from_pylist([{**default, "distinctness": 0.2, **row}], SCHEMA)
    rows = [{"source": "crm", "attribute": "city", "digest": d, "share": s} for d, s in (shares or CITIES).items()]
    for name, content in (("attributes", table), ("distributions", pa.Table.from_pylist(rows, SHARES))):
        (folder / name).mkdir(parents=True)
        pq.write_table(content, folder / name / "part-0.parquet")
    (folder / "summary.json").write_bytes(orjson.dumps({"format": 1, "domain": domain}))
    return folder


@pytest.mark.parametrize(
    ("changed", "drifted"),
    [
        ({}, set()),
        (
            {"completeness": 0.86, "conformity": 0.96, "distinctness": 0.1, "shares": {"aaaaaa": 0.45, "bbbbbb": 0.3}},
            set(),
        ),
        ({"completeness": 0.84}, {"completeness"}),
        ({"conformity": 0.94}, {"conformity"}),
        ({"conformity": None}, set()),
        ({"distinctness": 0.45}, {"distinctness"}),
        ({"shares": {"cccccc": 0.5, "bbbbbb": 0.3}}, {"divergence"}),
        ({"attribute": "region"}, {"records"}),
        ({"records": 99, "completeness": 0.1}, set()),
    ],
)
def test_each_measure_has_its_limit(tmp_path: Path, changed: dict[str, Any], drifted: set[str]) -> None:
    """What moves farther than its limit is drift, and so is a source or an attribute that only one profile has."""
    found = compare_profiles(profile(tmp_path / "one"), profile(tmp_path / "other", **changed))
    assert {each.measure for each in found.drifted} == drifted
    assert found.too_few == (changed.get("records") == 99)


def test_limits_can_be_set(tmp_path: Path) -> None:
    """Wider ones let a change pass."""
    one, other = profile(tmp_path / "one"), profile(tmp_path / "other", completeness=0.5)
    assert compare_profiles(one, other).drifted
    assert not compare_profiles(one, other, DriftLimits(share_change_max=0.5)).drifted


def test_the_divergence_is_that_of_jensen_and_shannon() -> None:
    """0 for equal ones, 1 for those with nothing in common, symmetric, and a figure worked out by hand."""
    assert divergence_of(CITIES, CITIES) == 0
    assert divergence_of({"a": 1.0}, {"b": 1.0}) == 1
    half = divergence_of({"a": 1.0}, {"a": 0.5, "b": 0.5})
    assert half == divergence_of({"a": 0.5, "b": 0.5}, {"a": 1.0})
    assert half == pytest.approx(0.311278, abs=1e-6)


def test_what_is_no_profile_or_of_another_domain_is_refused(tmp_path: Path) -> None:
    """A folder without a summary is a profile that was not finished."""
    one = profile(tmp_path / "one")
    with pytest.raises(ConfigurationError, match="two domains"):
        compare_profiles(one, profile(tmp_path / "other", domain="company"))
    (one / "summary.json").unlink()
    with pytest.raises(ConfigurationError, match="is no profile"):
        compare_profiles(one, one)
    later = profile(tmp_path / "later")
    (later / "summary.json").write_bytes(b'{"format": 2, "domain": "person"}')
    with pytest.raises(ConfigurationError, match="later release"):
        compare_profiles(later, later)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which report"),
        (["--shared", "--tables", "x"], "which report"),
        (["--shared", "--on", "archive", "--until", "2026-01-01T00:00:00Z"], "belong to --tables"),
        (["--tables", "x", "events.jsonl"], "--on archive in place of files"),
        (["--tables", "x"], "name --on archive"),
        (["--tables", "x", "--against", "y"], "has no profile"),
        (["--tables", "x", "--against", "y", "--memory", "much"], "such as 4g"),
    ],
)
def test_the_command_says_what_is_missing(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without starting Spark."""
    monkeypatch.chdir(tmp_path)
    assert run(["profile", *arguments]) == 2
    assert said in capsys.readouterr().err
