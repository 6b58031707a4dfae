"""The dbt package on a warehouse in a folder: that of a small demo, whole or damaged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import duckdb

from mdm_stream.deployment import WAREHOUSE_FILE
from mdm_stream.rules.load import load_ruleset
from mdm_stream.simulate import DEMO_RULES
from mdm_stream.simulate.demo import run_demo

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "integrations" / "dbt"
DBT = ROOT / "build" / "dbt" / "bin" / "dbt"
EVENTS = 600
TIMEOUT_S = 120


DAMAGES = {
    "golden_records_are_unique": "INSERT INTO golden_record SELECT * FROM golden_record WHERE status = 'live' LIMIT 1",
    "crosswalk_is_unique": "INSERT INTO crosswalk SELECT * FROM crosswalk LIMIT 1",
    "members_agree_with_crosswalk": "UPDATE crosswalk SET golden_id = NULL WHERE rowid = 0",
    "records_are_in_one_golden_record": """
        UPDATE golden_history AS t SET payload = json_merge_patch(t.payload, json_object('members', other.members))
        FROM (SELECT payload -> '$.members' AS members, golden_id FROM golden_history AS h
              JOIN golden_record AS g USING (domain, golden_id, epoch, sequence)
              WHERE g.status = 'live' ORDER BY golden_id LIMIT 1) AS other
        WHERE (t.domain, t.epoch, t.sequence) IN (
            SELECT domain, epoch, sequence FROM golden_record WHERE status = 'live' ORDER BY golden_id DESC LIMIT 1)
    """,
    "golden_records_are_the_newest": "UPDATE golden_record SET sequence = sequence - 1 WHERE rowid = 6",
    "changes_are_in_golden_records": "DELETE FROM golden_record WHERE rowid = 5",
    "sequences_have_no_gap": "DELETE FROM golden_history WHERE sequence = 7",
    "redirects_resolve": "UPDATE golden_record SET anchor_record_id = NULL WHERE status = 'retired'",
    "erased_values_are_gone": """
        INSERT INTO erased_record SELECT g.domain, o.source, o.record_id, g.golden_id, g.epoch, g.sequence,
            g.committed_at, g.applied_at
        FROM golden_record AS g, (SELECT source, record_id, golden_id FROM crosswalk) AS o
        WHERE o.golden_id = g.golden_id AND g.member_count = 1 LIMIT 1
    """,
    "file_rows_are_accounted_for": """
        INSERT INTO file_loads SELECT 'load', 1, 'person', 'crm', 'done', 'full', 'direct', 'b', 'k', now(),
            3, 1, 1, 0, 1, 0, now(), now(), '{}', 'd', now()
    """,
}
"""For each test of the package, a statement that breaks what it holds."""


def make_demo(folder: Path) -> Path:
    """Run a small demo in a folder; return its warehouse."""
    rules_file = folder / "rules.yaml"
    rules_file.write_text(DEMO_RULES, encoding="utf-8")
    run_demo(folder / "state", rules_file, load_ruleset(rules_file), EVENTS, lambda *_: None)
    kept = folder / "demo.duckdb"
    shutil.copy(folder / "state" / WAREHOUSE_FILE, kept)
    return kept


def damage(folder: Path, *statements: str) -> None:
    """Run statements on the warehouse in a folder."""
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)


def dbt(folder: Path, command: str, results_file: str) -> tuple[int, dict[str, str]]:
    """Run dbt on the warehouse in a folder; return exit code, and status by name."""
    target = {"type": "duckdb", "path": str(folder / "warehouse.duckdb"), "threads": 1}
    profile = {"mdm_stream": {"target": "local", "outputs": {"local": target}}}
    (folder / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    options = ["--profiles-dir", str(folder), "--target-path", str(folder / "target"), "--log-path", str(folder)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    done = subprocess.run([str(DBT), *command.split(), *options], cwd=PACKAGE, env=environment, capture_output=True,
                          timeout=TIMEOUT_S, check=False)  # fmt: skip
    results = folder / "target" / results_file
    assert results.exists(), done.stdout.decode()[-3000:]
    found = json.loads(results.read_text())["results"]
    return done.returncode, {name_of(result["unique_id"]): result["status"] for result in found}


def name_of(unique_id: str) -> str:
    """The name of a model, of a source's table, or of a singular test, which has no suffix."""
    kind, _, *rest = unique_id.split(".")
    return rest[0] if kind == "test" else rest[-1]
