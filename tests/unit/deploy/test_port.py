"""Proving a port free, and naming who has it."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from floodmark.core.errors import TargetError
from floodmark_deploy.port import LOCAL_PORT_RANGE, LOWEST_PORT, free_port, owner_of, prove_free

HOST = "127.0.0.1"


def _listener(host: str = HOST) -> socket.socket:
    return socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def test_a_free_port_is_free() -> None:
    prove_free(HOST, free_port(HOST))


def _client(server: socket.socket) -> socket.socket:
    """With a port of its own: one that is not bound may share its port with clients of other servers."""
    return socket.create_connection(server.getsockname(), source_address=(HOST, 0))


def test_a_listener_is_named_by_its_process() -> None:
    with _listener() as sock:
        port = sock.getsockname()[1]
        with pytest.raises(TargetError, match=rf"port {port} is taken by process {os.getpid()} \(.+\); stop it"):
            prove_free(HOST, port)


def test_a_listener_on_every_address_takes_the_port_of_each() -> None:
    with _listener("0.0.0.0") as sock, pytest.raises(TargetError, match="is taken by process"):
        prove_free(HOST, sock.getsockname()[1])


def test_a_client_that_uses_the_port_is_named_too() -> None:
    with _listener() as server, _client(server) as client:
        assert f"process {os.getpid()} " in owner_of(client.getsockname()[1])


def test_the_listener_is_named_before_those_who_only_serve_its_clients() -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(_listener())
        address = server.getsockname()
        clients = [stack.enter_context(socket.create_connection(address)) for _ in range(8)]
        accepted = [server.accept()[0] for _ in clients]
        held = [connection.fileno() for connection in accepted]
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=held)
        stack.callback(child.communicate, b"\n")
        for connection in accepted:
            connection.close()
        assert owner_of(address[1]).startswith(f"process {os.getpid()} ")


def test_a_port_nobody_is_seen_with_belongs_to_another_user() -> None:
    assert owner_of(free_port(HOST)) == "a process of another user"


def test_time_wait_is_no_hindrance() -> None:
    with _listener() as server:
        port = server.getsockname()[1]
        with socket.create_connection((HOST, port)) as client:
            server.accept()[0].close()  # the listener's side closes first, so that TIME_WAIT is on its port
            assert client.recv(1) == b""
    prove_free(HOST, port)


def test_a_port_that_only_an_ended_connection_holds_is_told_as_such() -> None:
    with _listener() as server, _client(server) as client:
        port = client.getsockname()[1]
        accepted = server.accept()[0]
        client.close()  # the client closes first, so that TIME_WAIT is on its port; it did not set SO_REUSEADDR
        assert accepted.recv(1) == b""
        accepted.close()
    with pytest.raises(TargetError, match=rf"port {port} is held by a connection that has ended \(TIME_WAIT\); wait"):
        prove_free(HOST, port)


def test_an_address_of_another_host_is_refused_with_a_remedy() -> None:
    with pytest.raises(TargetError, match=r"192\.0\.2\.1 port 8000 cannot be listened on: .*; give an address of this"):
        prove_free("192.0.2.1", 8000)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(TargetError, match=r"no\.such\.invalid port 8000 cannot be listened on"):
        prove_free("no.such.invalid", 8000)


def test_ipv6_is_proven_like_ipv4() -> None:
    with _listener("::1") as sock, pytest.raises(TargetError, match="is taken by process"):
        prove_free("::1", sock.getsockname()[1])
    prove_free("::1", free_port("::1"))


def test_a_free_port_is_none_that_the_kernel_gives_to_clients() -> None:
    low = int(Path(LOCAL_PORT_RANGE).read_text().split()[0])
    if low <= LOWEST_PORT:
        pytest.skip("this kernel gives clients nearly every port")
    assert all(LOWEST_PORT <= free_port(HOST) < low for _ in range(20))
