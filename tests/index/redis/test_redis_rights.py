"""The rights that the documentation gives to the user of the index: enough for all that is done, and no more."""

from __future__ import annotations

import re

import pytest
from rights_tour import everything_on
from source_tree import ROOT
from valkey_cluster import Node, until

from mdm_stream.local.servers.ports import free_ports

PAGE = ROOT / "docs" / "operate" / "cache.md"
PASSWORD = "a-password"
OF_THE_TEST = {"auth", "config|resetstat", "hello"}
"""Called by the test itself, or by any client: whoever has no right to anything may say who he is."""


def documented() -> list[str]:
    """Return the words of the command that makes the user."""
    (line,) = re.findall(r"^ACL SETUSER .*$", PAGE.read_text("utf-8"), re.MULTILINE)
    return [word.replace("PASSWORD", PASSWORD) for word in line.split()]


def used(node: Node) -> set[str]:
    """Return the commands that were called since the server's figures were reset, with their subcommands."""
    return {name.removeprefix("cmdstat_") for name in node.ask("INFO", "commandstats")}


@pytest.fixture(params=["one server", "cluster mode"])
def node(request, tmp_path):
    """A server with the user."""
    server = Node(free_ports(1)[0], tmp_path / "node")
    if request.param == "cluster mode":
        server.options = {"cluster-enabled": "yes", "cluster-port": free_ports(1)[0]}
    server.start()
    until(server.answers, "it answers")
    if server.options:
        server.ask("CLUSTER ADDSLOTSRANGE", 0, 16_383)
        until(lambda: server.ask("CLUSTER INFO")["cluster_state"] == "ok", "it has all slots")
    server.ask(*documented())
    yield server
    server.stop(kill=True)


def test_the_documented_rights_are_those_that_are_needed(node, tmp_path):
    """All that consumers, APIs and commands ask of an index goes through under them, and uses each that is granted."""
    node.ask("CONFIG", "RESETSTAT")
    database = "" if node.options else "/1"
    everything_on(f"redis://mdm:{PASSWORD}@127.0.0.1:{node.port}{database}")
    granted = {word[1:] for word in documented() if word.startswith("+")}
    called = used(node) - OF_THE_TEST
    of_the_other_kind = {"select"} if node.options else {"command", "cluster|slots"}
    assert called - granted == set()
    assert granted - called - of_the_other_kind == set()
