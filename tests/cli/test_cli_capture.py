"""``mdm-stream capture postgres``: what it makes of its options and of the rules."""

from __future__ import annotations

import subprocess
import sys

import pytest
from rulesets import ruleset

from mdm_stream.cli.commands.capture import _settings
from mdm_stream.cli.main import run
from mdm_stream.core.ruleset import Source
from mdm_stream.errors import ConfigurationError

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
