"""Ports for servers that are told theirs: free, and not of those that the kernel gives away by itself."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mdm_stream.local.servers import ports
from mdm_stream.local.servers.ports import free_ports


def test_they_are_different_and_none_is_one_that_connections_get():
    """Between the look and the bind of a server, others connect and bind: no such port may be theirs."""
    known = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(known.read_text("ascii").split()[0]) if known.exists() else 49_152
    found = free_ports(50) + free_ports(50)
    assert len(set(found)) == 100
    assert max(found) < first


def test_a_port_that_is_taken_is_not_given(monkeypatch):
    """Neither to the same process twice."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(ports, "_FROM", port)
        monkeypatch.setattr(ports, "_TO", port + 1)
        with pytest.raises(OSError, match="no 1 free ports"):
            free_ports(1)
