"""A cluster over TLS, with an authority of its own: trusted by the address, and by nothing else.

The servers here are built without TLS, so a line before each node ends it. The nodes announce those lines.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_world import small_rules
from tls_line import make_authority, server_context
from valkey_cluster import ValkeyCluster

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TransientError
from mdm_stream.index.redis.client import cluster_of, open_client
from mdm_stream.index.redis.epochs import domain_prefix
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.index.redis.scripts import translated

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made by openssl")

RULES = small_rules()
TIMEOUT_S = 5.0
HOST = "cache.example"
OPTIONS = {
    "cluster-announce-hostname": HOST,
    "cluster-preferred-endpoint-type": "hostname",
    "cluster-node-timeout": 15_000,
}


@pytest.fixture(autouse=True)
def _name(monkeypatch) -> None:
    """Let the host name be that of loopback. (``localhost`` would be made an address by the cluster's client.)"""
    look_up = socket.getaddrinfo

    def found(host, *rest, **options):
        return look_up("127.0.0.1" if host == HOST else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Path:
    """The certificate of the authority that signed those of the nodes."""
    return make_authority(tmp_path_factory.mktemp("tls") / "own")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, authority) -> Iterator[ValkeyCluster]:
    """A cluster whose nodes have a certificate for ``HOST``."""
    context = server_context(authority, HOST)
    with ValkeyCluster(tmp_path_factory.mktemp("nodes"), tls=context, **OPTIONS) as running:
        yield running


def address(cluster: ValkeyCluster, options: str = "", host: str = HOST) -> str:
    """Return the address of the cluster over TLS."""
    return f"rediss://{host}:{cluster.nodes[0].announced}{options}"


def test_every_node_is_reached_over_tls_also_after_a_failover(cluster, authority):
    """The authority and the host name are checked of each node, as the address says for the first one."""
    client = open_client(address(cluster, f"?ssl_ca_certs={authority}"), TIMEOUT_S)
    assert cluster_of(client) is not None
    events = [
        RecordEvent("person", "crm", str(number % 9), "upsert", number, number, {"given_name": "Ann"})
        for number in range(30)
    ]
    for namespace in ("a", "b", "c d"):
        index = RedisIndex(client, RULES, namespace)
        engine = Engine(RULES, index)
        assert engine.process(events[:15]).failed == []
        if namespace == "b":
            cluster.fail_over(domain_prefix(namespace, "person") + "root")
        assert engine.process(events[15:]).failed == []
        assert index.snapshot() == resolve(RULES, events)
        assert index.position().sequence > 0
    nodes = {node.port for node in cluster.nodes}
    assert {node.port for node in cluster_of(client).get_nodes()}.isdisjoint(nodes)
    assert cluster.tls_handshakes() > 1


def test_a_certificate_of_another_authority_is_refused(cluster, tmp_path):
    """One that the address does not name, and one that the system does not know."""
    other = make_authority(tmp_path / "other")
    for options in ("", f"?ssl_ca_certs={other}"):
        with pytest.raises(TransientError, match="certificate verify failed"), translated():
            open_client(address(cluster, options), TIMEOUT_S).ping()


def test_a_certificate_for_another_host_is_refused(cluster, authority):
    """The authority alone is not enough: the name in the address is that of the certificate."""
    with pytest.raises(TransientError, match="certificate"), translated():
        open_client(address(cluster, f"?ssl_ca_certs={authority}", host="127.0.0.1"), TIMEOUT_S).ping()


def test_every_node_is_logged_in_to_with_a_token_of_iam(cluster, authority, monkeypatch):
    """The servers here take any password of a user who has none, so what is seen is that they are asked with both."""
    for name, value in {
        "ACCESS_KEY_ID": "AKIDEXAMPLE",
        "SECRET_ACCESS_KEY": "s",
        "DEFAULT_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    for node in cluster.nodes:
        with node.client() as opened:
            opened.execute_command("ACL", "SETUSER", "mdm", "on", "nopass", "~*", "+@all")
    host = f"mdm@{HOST}"
    client = open_client(address(cluster, f"?iam=elasticache:mdm-test&ssl_ca_certs={authority}", host), TIMEOUT_S)
    nodes = cluster_of(client).get_primaries()
    assert [client.execute_command("ACL WHOAMI", target_nodes=node) for node in nodes] == ["mdm"] * len(nodes)
