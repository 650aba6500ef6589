"""Sockets made on purpose, counted by the agent's readers, by dump and by walk: the counts must be exact."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from agent_places_parts import open_walk

from floodmark.core.sample import ConnectionCounts
from floodmark_agent.inet_diag import TcpListener, connections_request, read_connections, read_listeners
from floodmark_agent.listeners import ListenerReader
from floodmark_agent.netlink import TCPDIAG_GETSOCK, DiagSocket, dump_request
from floodmark_agent.netstat import read_counters
from floodmark_agent.unix_diag import read_unix_listeners

DEADLINE_S = 10.0
REQUEST = b"GET / HTTP/1.1\r\n\r\n"
Count = Callable[[Sequence[int]], tuple[ConnectionCounts, ...]]


@pytest.fixture
def diag() -> Iterator[DiagSocket]:
    one = DiagSocket()
    yield one
    one.close()


@pytest.fixture(params=["dump", "walk"])
def count(request: pytest.FixtureRequest, diag: DiagSocket) -> Iterator[Count]:
    if request.param == "dump":
        yield partial(read_connections, diag)
        return
    walk = open_walk()
    yield walk.read
    walk.close()


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


class Server:
    """A listener of this test's own and the connections to it; all are closed at the end."""

    def __init__(
        self, stack: contextlib.ExitStack, *, family: int = socket.AF_INET, host: str = "127.0.0.1", backlog: int = 200
    ) -> None:
        dual = family == socket.AF_INET6 and host == "::"
        self._stack = stack
        self.listener = stack.enter_context(
            socket.create_server((host, 0), family=family, backlog=backlog, dualstack_ipv6=dual)
        )
        self.port: int = self.listener.getsockname()[1]

    def connect(self, count: int, host: str = "127.0.0.1") -> list[socket.socket]:
        opened = [socket.create_connection((host, self.port), timeout=DEADLINE_S) for _ in range(count)]
        return [self._stack.enter_context(one) for one in opened]

    def accept(self, count: int) -> list[socket.socket]:
        return [self._stack.enter_context(self.listener.accept()[0]) for _ in range(count)]


def counts(count: Count, port: int) -> ConnectionCounts:
    (found,) = count((port,))
    return found


def expected(port: int, **numbers: int) -> ConnectionCounts:
    names = ("accept_queue", "unread", "read", "half_open", "abandoned", "abandoned_queue", "closing", "time_wait")
    return ConnectionCounts(port=port, **{name: numbers.get(name, 0) for name in names})


def wait_for(read: Callable[[], object], wanted: object) -> None:
    """Until what is read is what is wanted; at the deadline the comparison itself says what is not."""
    end_s = time.monotonic() + DEADLINE_S
    while read() != wanted and time.monotonic() < end_s:
        time.sleep(0.005)
    assert read() == wanted


def listener_of(diag: DiagSocket, port: int) -> TcpListener:
    (found,) = [row for row in read_listeners(diag) if row.port == port]
    return found


def test_each_place_is_counted_exactly(count: Count, stack: contextlib.ExitStack) -> None:
    server = Server(stack)
    clients = server.connect(120)
    accepted = server.accept(70)
    for client in (*clients[:30], *clients[100:110]):
        client.sendall(REQUEST)
    for client in (*clients[60:70], *clients[113:120]):
        client.close()
    for end in accepted[50:60]:
        end.close()
    for client in clients[56:60]:
        client.close()

    wait_for(
        lambda: counts(count, server.port),
        expected(
            server.port,
            accept_queue=43,
            unread=30,
            read=20,
            abandoned=17,
            abandoned_queue=7,
            closing=6,
            time_wait=4,
        ),
    )


def test_the_depth_is_what_waits_to_be_accepted(diag: DiagSocket, stack: contextlib.ExitStack) -> None:
    server = Server(stack, backlog=50)
    server.connect(40)
    server.accept(15)

    wait_for(lambda: listener_of(diag, server.port).depth, 25)
    assert listener_of(diag, server.port).limit == 50


def test_what_was_read_is_no_longer_unread(count: Count, stack: contextlib.ExitStack) -> None:
    server = Server(stack)
    clients, ends = server.connect(8), server.accept(8)
    for client in clients:
        client.sendall(REQUEST)
    wait_for(lambda: counts(count, server.port).unread, 8)
    for end in ends[:5]:
        end.recv(100)

    wait_for(lambda: counts(count, server.port), expected(server.port, unread=3, read=5))


def test_the_kernel_lets_in_one_more_than_the_limit(
    diag: DiagSocket, count: Count, stack: contextlib.ExitStack
) -> None:
    before = read_counters(None)
    server = Server(stack, backlog=3)
    for _ in range(7):
        late = stack.enter_context(socket.socket())
        late.settimeout(0)
        late.connect_ex(("127.0.0.1", server.port))

    wait_for(lambda: counts(count, server.port).accept_queue, 4)
    row = listener_of(diag, server.port)
    after = read_counters(None)
    assert (row.depth, row.limit) == (4, 3)
    assert before is not None
    assert after is not None
    assert after.listen_overflows >= before.listen_overflows + 3
    assert after.listen_drops >= before.listen_drops + 3


def test_half_open_connections_are_counted_though_the_client_believes_otherwise(
    count: Count, stack: contextlib.ExitStack
) -> None:
    server = Server(stack)
    server.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
    server.connect(12)

    wait_for(lambda: counts(count, server.port), expected(server.port, half_open=12))


def test_both_families_of_a_dual_stack_listener_are_counted(
    diag: DiagSocket, count: Count, stack: contextlib.ExitStack
) -> None:
    server = Server(stack, family=socket.AF_INET6, host="::")
    server.connect(6, "127.0.0.1")
    server.connect(5, "::1")
    server.accept(4)

    wait_for(lambda: counts(count, server.port), expected(server.port, accept_queue=7, read=4))
    assert listener_of(diag, server.port).address == f"[::]:{server.port}"


def test_an_ipv6_listener_is_counted(diag: DiagSocket, count: Count, stack: contextlib.ExitStack) -> None:
    server = Server(stack, family=socket.AF_INET6, host="::1")
    server.connect(3, "::1")

    wait_for(lambda: counts(count, server.port), expected(server.port, accept_queue=3))
    assert listener_of(diag, server.port).family == "inet6"


def test_several_ports_are_counted_at_once_and_others_stay_out(count: Count, stack: contextlib.ExitStack) -> None:
    servers = [Server(stack) for _ in range(4)]
    for number, server in enumerate(servers, start=1):
        server.connect(number)
    ports = [servers[2].port, servers[0].port, servers[1].port]

    wait_for(lambda: [one.accept_queue for one in count(ports)], [3, 1, 2])


def test_rows_that_share_a_port_stay_apart(diag: DiagSocket, stack: contextlib.ExitStack) -> None:
    first = stack.enter_context(socket.socket())
    second = stack.enter_context(socket.socket())
    port = 0
    for one in (first, second):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(("127.0.0.1", port))
        port = one.getsockname()[1]
        one.listen(20)
    for _ in range(20):
        stack.enter_context(socket.create_connection(("127.0.0.1", port)))

    rows = [row for row in read_listeners(diag) if row.port == port]
    assert len({row.inode for row in rows}) == 2
    wait_for(lambda: sum(row.depth for row in read_listeners(diag) if row.port == port), 20)


def test_of_a_thousand_connections_none_is_lost(count: Count, stack: contextlib.ExitStack) -> None:
    server = Server(stack, backlog=2000)
    for _ in range(4):
        server.connect(250)
    server.accept(333)

    wait_for(lambda: counts(count, server.port), expected(server.port, accept_queue=667, read=333))


@pytest.mark.parametrize("abstract", [False, True])
def test_a_unix_listener_has_path_depth_and_limit(
    diag: DiagSocket, stack: contextlib.ExitStack, tmp_path: Path, *, abstract: bool
) -> None:
    name = f"floodmark-{tmp_path.name}"
    path = f"\0{name}" if abstract else str(tmp_path / "app.sock")
    server = stack.enter_context(socket.socket(socket.AF_UNIX))
    server.bind(path)
    server.listen(9)
    for _ in range(4):
        stack.enter_context(socket.socket(socket.AF_UNIX)).connect(path)

    shown = f"@{name}" if abstract else path
    (row,) = [one for one in read_unix_listeners(diag) if one.address == shown]
    assert (row.depth, row.limit) == (4, 9)


def test_our_listeners_are_as_they_are_now_and_one_that_is_closed_is_missed_at_once(
    diag: DiagSocket, stack: contextlib.ExitStack
) -> None:
    servers = [Server(stack), Server(stack, family=socket.AF_INET6, host="::")]
    inodes = {Path(f"/proc/self/fd/{one.listener.fileno()}").stat().st_ino for one in servers}
    reader = ListenerReader(diag, sees_unix=False, clock=lambda: 100.0)

    def depths() -> list[int]:
        rows, _ = reader.read(lambda inode: inode in inodes)
        return sorted(row.depth for row in rows if row.inode in inodes)

    assert depths() == [0, 0]
    servers[0].connect(3)
    servers[1].connect(2, "::1")
    wait_for(depths, [2, 3])
    # Both were asked for one by one: the time of the next dump of all has not come.
    servers[0].listener.close()
    assert depths() == [2]


def test_a_refused_request_is_an_error_of_the_system(diag: DiagSocket) -> None:
    with pytest.raises(OSError, match="EINVAL"):
        diag.dump(bytes([200]) + bytes(55))


def test_an_answer_nobody_waited_for_does_not_get_into_the_next(diag: DiagSocket, stack: contextlib.ExitStack) -> None:
    server = Server(stack)
    server.connect(2)
    diag._socket.send(dump_request(bytes([200]) + bytes(55), 0))

    wait_for(lambda: counts(partial(read_connections, diag), server.port), expected(server.port, accept_queue=2))


def test_a_dump_left_half_read_costs_one_sample_at_most(diag: DiagSocket, stack: contextlib.ExitStack) -> None:
    other, server = Server(stack), Server(stack)
    other.connect(5)
    server.connect(2)
    diag._socket.send(dump_request(connections_request((other.port,)), 0, TCPDIAG_GETSOCK))

    # The kernel makes one dump at a time for a socket, and may refuse the first request after it (EBUSY).
    with contextlib.suppress(OSError):
        assert counts(partial(read_connections, diag), server.port) == expected(server.port, accept_queue=2)
    wait_for(lambda: counts(partial(read_connections, diag), server.port), expected(server.port, accept_queue=2))


def test_the_socket_serves_again_after_a_refusal(diag: DiagSocket, stack: contextlib.ExitStack) -> None:
    server = Server(stack)
    server.connect(2)
    with contextlib.suppress(OSError):
        diag.dump(bytes([200]) + bytes(55))

    wait_for(lambda: counts(partial(read_connections, diag), server.port), expected(server.port, accept_queue=2))
