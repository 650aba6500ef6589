"""What the guarded bus promises against those that send much, or make things up; run by `test_bus.py` like its parts.

Each `keeps_...` is a test and is called by `main`.
"""

import sys
import tempfile
import time
from contextlib import contextmanager
from types import SimpleNamespace

import bus_parts
import gevent
import msgpack
import zmq
from bus_parts import LOOPBACK, client, dealer, free_port, keys_in, named, server, until, until_named
from gevent import socket as gevent_socket
from locust.env import Environment
from locust.rpc import zmqrpc
from locust.rpc.protocol import Message
from locust.stats import RequestStats, get_stats_summary

from floodmark.core import messages
from floodmark.core.bus_keys import AGENT, read_node_keys
from floodmark.load.bus import doorkeeper, gate, inbox, sockets, words
from floodmark.load.bus.doorkeeper import Doorkeeper
from floodmark.load.bus.inbox import Inbox
from floodmark.load.bus.settings import SETTINGS

FLOOD = 20_000


@contextmanager
def cluster():
    """A master of Locust's with one honest worker, who is returned, too."""
    bus_parts.forget_the_strangers()
    SETTINGS.take_keys("")
    port = free_port()
    master = Environment().create_master_runner(LOOPBACK, port)
    with client(port, "honest") as mine:
        mine.send(Message("client_ready", -1, "honest"))
        until(lambda: master.worker_count == 1, "the worker")
        yield master, mine, port
        master.quit()
        master.server.close()


def stats_of(name, count):
    """What Locust's worker reports of some requests."""
    stats = RequestStats()
    for _ in range(count):
        stats.log_request("GET", name, 10, 100)
    stats.log_error("GET", name, OSError("no"))
    total = stats.total.get_stripped_report()
    return {
        "stats": stats.serialize_stats(), "stats_total": total, "errors": stats.serialize_errors(),
        "user_classes_count": {"User": 1}, "user_count": 1,
    }  # fmt: skip


def keeps_every_greenlet_in_turn_while_one_sends_without_end():
    turns, ended = [], []

    def take_turns():
        while True:
            gevent.sleep(0)
            turns.append(len(ended))

    with cluster() as (master, mine, port), dealer(port, "flood") as own:
        word = Message("no such type", None, "flood").serialize()
        own.setsockopt(zmq.SNDHWM, 0)
        # All of it waits before the listener has its first turn: what matters is who has one until it is through.
        handled = master.server.recv_from_client
        most_between, last = [0], [0]

        def count_turns():
            found = handled()
            between = len(turns)
            if between == last[0]:
                run[0] += 1
            else:
                run[0], last[0] = 0, between
            most_between[0] = max(most_between[0], run[0])
            return found

        run = [0]
        master.server.recv_from_client = count_turns
        master.server._gate = SimpleNamespace(
            lets_in=lambda _: True, forget=lambda _: None, is_over=CountingTurn(), begin=lambda: None
        )
        other = gevent.spawn(take_turns)
        for _ in range(FLOOD):
            own.send(word)
        mine.send(Message("stats", stats_of("/", 3), "honest"))
        until(lambda: master.stats.total.num_requests == 3, "the honest figures")
        other.kill()
        assert most_between[0] <= 2 * CountingTurn.EACH, most_between


class CountingTurn:
    """A turn of so many messages, whatever a busy machine does to the clock."""

    EACH = 50

    def __init__(self):
        self._left = self.EACH

    def __call__(self):
        self._left -= 1
        if self._left:
            return False
        self._left = self.EACH
        return True


def keeps_a_turn_short_by_the_clock():
    now_s = [0.0]
    turn = gate.Gate(lambda: now_s[0])
    assert not turn.is_over()
    now_s[0] += gate.TURN_S
    assert turn.is_over()
    turn.begin()
    assert not turn.is_over()


def keeps_a_connection_to_its_rate_and_forgets_it():
    now_s = [0.0]
    door = gate.Gate(lambda: now_s[0])
    assert sum(door.lets_in(1) for _ in range(3000)) == gate.AT_ONCE
    assert door.lets_in(2)
    now_s[0] += 0.1
    assert sum(door.lets_in(1) for _ in range(3000)) == gate.MESSAGES_PER_S / 10
    door.forget(1)
    door.forget(2)
    assert door._buckets == {}


def keeps_up_no_connection_that_sends_more_than_anybody_needs():
    with cluster() as (master, mine, port), dealer(port, "flood") as own:
        master.server._gate = gate.Gate(lambda: 0.0)  # of its own clock: a slow machine takes them no more slowly
        own.setsockopt(zmq.SNDHWM, 0)
        with own.get_monitor_socket(zmq.EVENT_DISCONNECTED) as ends:
            for _ in range(3 * int(gate.AT_ONCE)):
                own.send(Message("no such type", None, "flood").serialize())
            until_named(gate.TOO_MANY)
            until(lambda: ends.poll(0), "its connection to be ended")
        for _ in range(2 * int(gate.AT_ONCE)):  # a worker's are all taken
            mine.send(Message("stats", stats_of("/", 1), "honest"))
        until(lambda: master.stats.total.num_requests == 2 * gate.AT_ONCE, "all of the worker's")


def keeps_the_inbox_bounded_and_loses_nothing_of_a_workers():
    handlers, read = {}, []
    runner = SimpleNamespace(register_message=handlers.__setitem__, clients={"worker"})
    box = Inbox(runner, time.monotonic)
    box.on("some", lambda letter: read.append(letter.sender))

    def put(sender):
        msg = SimpleNamespace(type="some", data=None, node_id=sender)
        handlers["some"](environment=SimpleNamespace(runner=runner), msg=msg)

    bus_parts.forget_the_strangers()
    for _ in range(inbox.MOST_OF_ONE + 50):
        put("agent")
    for _ in range(inbox.MOST_WAITING + 50):  # the last ones wait until there is room
        put("worker")
    until(lambda: read.count("worker") == inbox.MOST_WAITING + 50, "all of the worker's")
    assert read.count("agent") == inbox.MOST_OF_ONE
    assert any("('agent') sends faster than it can be read" in line and "(50 times)" in line for line in named())
    assert not box._waiting


BOMBS = {
    "more than 20000 lists and tables": msgpack.dumps(("floodmark_hello", [[[]] * 19_000] * 2, "stranger")),
    "exceeds max_array_len": msgpack.dumps(("floodmark_hello", [[]] * 900_000, "stranger")),
    "exceeds max_map_len": msgpack.dumps(("floodmark_hello", dict.fromkeys(range(100_000), 1), "stranger")),
    "too long for one that is no worker": b"\x93" + b"\x90" * (words.OF_OTHERS.size_bytes + 1),
}


def keeps_small_messages_from_becoming_large_in_memory():
    with server() as (made, received):
        for number, (said, word) in enumerate(BOMBS.items()):
            with dealer(made.port, f"bomb {number}") as own:  # a name of its own: ZeroMQ may still know the one before
                own.send(word)
                until_named(said)
            bus_parts.forget_the_strangers()
        assert received == []
        rows = [[number, "w", 1.5, None] for number in range(100_000)]
        with client(made.port, "honest") as mine:
            made.workers.take({"honest"})
            mine.send(Message("floodmark_hits", {"number": 1, "rows": rows}, "honest"))
            until(lambda: received, "the worker's many rows")
        assert named() == ()
        assert received[0][1].data["rows"] == rows


@contextmanager
def late_door():
    """The thread there sees a connection come and go when the next one on its descriptor is there already."""
    see, late_s = Doorkeeper._see, sockets.LATE_S
    sockets.LATE_S = 2.0
    Doorkeeper._see = lambda door, event: doorkeeper._sleep(0.02) or see(door, event)
    try:
        yield
    finally:
        Doorkeeper._see, sockets.LATE_S = see, late_s


def keeps_those_who_say_something_unnamed_where_the_door_is_late():
    with late_door(), server() as (made, received):
        for number in range(1, 21):
            with dealer(made.port, name := f"short {number}") as own:
                own.send(Message(messages.HELLO, None, name).serialize())
                until(lambda n=number: len(received) == n, "its word")
        with dealer(made.port, "stays") as own:  # and says no more
            own.send(Message(messages.HELLO, None, "stays").serialize())
            gevent.sleep(1.1 * sockets.LATE_S)
        until(lambda: not made._door._callers, "the door to see the last one go")
        gevent.sleep(2 * sockets.MOVING_S)
        assert named() == (), named()
        assert made._heard == set()


@contextmanager
def let_in_and_silent(port):
    with zmq.Context() as context, context.socket(zmq.DEALER) as own:
        own.setsockopt(zmq.LINGER, 0)
        own.setsockopt(zmq.IMMEDIATE, 1)  # ready to send only when it has been let in
        own.connect(f"tcp://{LOOPBACK}:{port}")
        until(lambda: own.poll(0, zmq.POLLOUT), "it to be let in")
        yield


def keeps_the_silent_named_whoever_speaks_after_them():
    with server() as (made, received):
        for number in range(1, 6):
            with let_in_and_silent(made.port):
                until(lambda: made._door._callers, "the door to see it")
            until(lambda: not made._door._callers, "it to go")
            with dealer(made.port, name := f"speaks {number}") as own:
                own.send(Message(messages.HELLO, None, name).serialize())
                until(lambda n=number: len(received) == n, "its word")
                until_named(sockets.SAYS_NOTHING, f"({number} times)" if number > 1 else "")
            until(lambda: not made._door._callers, "it to go, too")
        gevent.sleep(2 * sockets.MOVING_S)
        assert len(named()) == 1, named()
        until_named(sockets.SAYS_NOTHING, "(5 times)")


def keeps_no_note_of_those_of_whom_no_descriptor_is_known():
    with server() as (made, _):
        for number in range(100):
            made._hear([zmq.Frame(b"old %d" % number), zmq.Frame(b"of an old protocol")])
        assert made._heard_from == {}


def keeps_an_agents_key_to_short_messages_and_does_not_unpack_the_others():
    with tempfile.TemporaryDirectory() as folder:
        keys = keys_in(folder, "ours")
        agent, me = read_node_keys(keys, AGENT), "an agent"
        with server(keys) as (made, received), dealer(made.port, me, (agent.public, agent.secret), agent.master) as own:
            made.workers.take({me})  # it has taken a worker's name
            own.send(b"\xc1" * (words.OF_OTHERS.size_bytes + 1))
            until_named("too long for one that is no worker")
            own.send(Message(messages.CHUNK, {"blocks": [b"x" * 70_000]}, me).serialize())
            until(lambda: received, "its chunk")


def keeps_figures_of_one_that_is_no_worker_out_of_locusts():
    with cluster() as (master, mine, port), dealer(port) as own:
        for kind, data in {
            "stats": stats_of("/evil", 5),
            "exception": {"msg": "evil", "traceback": "evil"},
            "logs": {"worker_id": "stranger", "logs": ["evil"]},
            "quit": None,
        }.items():
            own.send(Message(kind, data, "stranger").serialize())
            until_named("('stranger')", f"sent a {kind} and is no worker of this master")
        mine.send(Message("stats", stats_of("/", 3), "honest"))
        until(lambda: master.stats.total.num_requests == 3, "the honest figures")
        assert [entry.name for entry in master.stats.entries.values()] == ["/"]
        assert (master.exceptions, master.environment.worker_logs, master.worker_count) == ({}, {}, 1)
        assert set(master.worker_indexes) == {"honest"}
        assert any("/" in line for line in get_stats_summary(master.stats))


def keeps_the_workers_numbers_without_gaps():
    with cluster() as (master, _, port), dealer(port, "agent a") as one, dealer(port, "agent b") as another:
        said = []
        master.register_message(messages.HELLO, lambda **_: said.append(1))
        for _ in range(3):
            one.send(Message(messages.HELLO, None, "agent a").serialize())
            another.send(Message(messages.HELLO, None, "agent b").serialize())
        another.send(Message("no such type", None, "agent b").serialize())
        until_named("sent a message of an unknown type")
        until(lambda: len(said) == 6, "the agents")
        with client(port, "second") as second:
            second.send(Message("client_ready", -1, "second"))
            until(lambda: master.worker_count == 2, "the second worker")
        assert master.worker_indexes == {"honest": 0, "second": 1}


def keeps_wrong_figures_of_a_worker_out_of_locusts_and_takes_all_right_ones():
    right = stats_of("/", 2)
    wrong = [
        {**right, "stats": [{**right["stats"][0], name: "many"}]} for name in right["stats"][0] if name not in
        ("name", "method")
    ]  # fmt: skip
    wrong += [{**right, "stats_total": {}}, {**right, "errors": {"k": {}}}, {**right, "user_classes_count": [1]}, {}]
    wrong.append({**right, "stats_total": {**right["stats_total"], "num_requests": float("nan")}})
    with cluster() as (master, mine, _):
        for data in wrong:
            mine.send(Message("stats", data, "honest"))
        mine.send(Message("exception", {"msg": 7, "traceback": []}, "honest"))
        mine.send(Message("stats", right, "honest"))
        mine.send(Message("client_stopped", None, "honest"))
        mine.send(Message("stats", right, "honest"))  # after it has stopped: its last figures
        until(lambda: master.stats.total.num_requests == 4, "the right figures")
        said = ("sent a stats that cannot be handled", f"({len(wrong)} times)")
        assert any(all(part in line for part in said) for line in named()), named()
        assert len(master.stats.errors) == 1
        get_stats_summary(master.stats)


def hang_up_on_all(listener):
    """No detail of why; nothing else keeps ZeroMQ knocking."""
    while True:
        listener.accept()[0].close()


def keeps_a_connection_that_stands_after_it_was_refused():
    sockets.RECONNECT_S = 0.1
    with tempfile.TemporaryDirectory() as folder:
        keys = keys_in(folder, "ours")
        port, connected = free_port(), []
        SETTINGS.take_keys(str(keys))
        mine = zmqrpc.Client(LOOPBACK, port, "mine")
        reconnect = mine._reconnect

        def reconnect_and_rest(endpoint):
            connected.append(endpoint)
            sockets.RECONNECT_S = 3.0  # ZeroMQ knocks by itself several times in that
            reconnect(endpoint)

        mine._reconnect = reconnect_and_rest
        with gevent_socket.create_server((LOOPBACK, port)) as listener:
            door = gevent.spawn(hang_up_on_all, listener)
            until(lambda: connected, "it to be refused and to try again")
            gevent.sleep(0.5)  # refused once more: now it rests for long
            door.kill()
        with server(keys, port) as (_, received):
            mine.send(Message("client_ready", "2", "mine"))
            until(lambda: received, "it to be let in")
            count, heard = len(connected), len(received)
            gevent.sleep(1.2 * sockets.RECONNECT_S)
            assert len(connected) == count, "it gave up a connection that stood"
            mine.send(Message("client_ready", "2", "mine"))
            until(lambda: len(received) > heard, "it by the same connection")
        mine.close(linger=0)


if __name__ == "__main__":
    bus_parts.main(globals(), sys.argv[1:])
