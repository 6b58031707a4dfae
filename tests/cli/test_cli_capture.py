"""``mdm-stream capture postgres``: what it makes of its options and of the rules."""

from __future__ import annotations

import subprocess
import sys

import orjson
import pytest
from rulesets import ruleset

from mdm_stream.cli.commands.capture import _settings, _show
from mdm_stream.cli.main import run
from mdm_stream.core.ruleset import Source
from mdm_stream.errors import ConfigurationError
from producers.postgres.metrics import metrics_of
from producers.postgres.settings import ReaderProgress

pytest.importorskip("psycopg2", reason="the PostgreSQL driver is not installed (extra: postgres)")

RULES = {
    "person": ruleset(
        "person",
        ("name",),
        Source("shop", "postgres", "shop.public.buyer", ("id",), version="rev", columns={"name": ("first", "last")}),
        Source("crm", "postgres", "customer", ("region", "id")),
        Source("web"),
        Source("erp", "dms", "sales.client", ("id",)),
    )
}


def test_the_rules_say_what_is_captured():
    """Tables, keys, partition keys and columns of the sources that this reader feeds, and of no other."""
    settings = _settings(RULES, tables=(), keys={})
    assert settings.tables == ("public.buyer", "public.customer")
    assert settings.keys == {"public.buyer": ("id",), "public.customer": ("region", "id")}
    assert settings.sources == {"public.buyer": ("person", "shop"), "public.customer": ("person", "crm")}
    assert settings.required["public.buyer"] == {"id", "rev", "first", "last"}


def test_options_win_over_the_rules():
    """A table named is captured alone, and a key named is its key."""
    settings = _settings(RULES, tables=("public.customer",), keys={"public.customer": ("number",)})
    assert (settings.tables, settings.keys["public.customer"]) == (("public.customer",), ("number",))
    with pytest.raises(ConfigurationError, match="slot"):
        _settings(RULES, tables=(), keys={}, slot="No Slot")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--stream", "s", "--key", "buyer"], "--key is SCHEMA.TABLE=COLUMN"),
        (["--endpoint", "http://127.0.0.1:1"], "--endpoint and --region need --stream"),
        (["--stream", "s", "--endpoint", "http://127.0.0.1:1", "--slot", "x" * 60], "a slot's name"),
        (["--stream", "s", "--endpoint", "http://127.0.0.1:1"], "none that PostgreSQL knows"),
    ],
)
def test_mistakes_are_told_before_anything_is_read(options, said, capsys):
    """Each with what is expected, and never with the address, which may hold a password."""
    assert run(["capture", "postgres", "postgresql://reader:s3cret@[", *options]) != 0
    error = capsys.readouterr().err
    assert said in error
    assert "s3cret" not in error


def test_help_does_without_the_driver():
    """Who has not installed the extra can read what the command needs."""
    script = (
        "import sys; from mdm_stream.cli.main import run; code = run(['capture', 'postgres', '--help']); "
        "sys.exit(code or 'psycopg2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert b"--allow-truncate" in done.stdout


def test_figures_are_metrics_of_cloudwatch():
    """Each metric that the directive names is a number in the line, under the slot, and lag is among them."""
    progress = ReaderProgress(phase="streaming", lag_bytes=4_096, lag_s=1.5, truncations=1)
    line = orjson.loads(orjson.dumps(metrics_of(progress.status(), "mdm_stream", 1_700_000_000_000)))
    assert line["_aws"]["Timestamp"] == 1_700_000_000_000
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "mdm-stream"
    assert all(isinstance(line[each["Name"]], int | float) for each in directive["Metrics"])
    assert all(isinstance(line[name], str) for names in directive["Dimensions"] for name in names)
    assert (line["LagBytes"], line["LagSeconds"], line["Truncations"], line["slot"]) == (4_096, 1.5, 1, "mdm_stream")


def test_the_command_writes_metrics_when_asked(capsys):
    """One line a status, and nothing else."""
    _show(ReaderProgress(lag_bytes=7).status(), "slot_a", as_json=False)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert (orjson.loads(out)["LagBytes"], orjson.loads(out)["slot"]) == (7, "slot_a")
