"""What the guarded bus promises against those that make up names, and what its door does in trouble.

Run by `test_bus.py` like `bus_parts.py`. Each `keeps_...` is a test and is called by `main`.
"""

import _socket
import os
import sys
import tempfile
from types import SimpleNamespace

import bus_parts
from bus_parts import LOOPBACK, dealer, keys_in, named, server, until, until_named
from descriptors import open_files
from gevent.monkey import get_original
from locust.rpc import zmqrpc
from locust.rpc.protocol import Message

from floodmark.core import messages
from floodmark.core.codec import to_plain
from floodmark.core.messages import WIRE_VERSION, Hello
from floodmark.load.bus import doorkeeper, guard, sockets, strangers, words
from floodmark.load.bus.doorkeeper import Doorkeeper, Peer
from floodmark.load.bus.inbox import Letter
from floodmark.load.master import roster


def keeps_the_names_of_one_address_to_a_few_and_the_intruders_visible():
    now_s = [0.0]
    many = strangers.Strangers(lambda: now_s[0])
    for number in range(200):
        many.note("192.0.2.1", "sent what is no message", name=str(number))
    many.note("192.0.2.66", "has no key")
    found = many.since(0.0)
    assert len(found) == strangers.NAMES_PER_HOST + 2
    assert found[-2] == "192.0.2.1 (other names) sent what is no message (195 times)"
    assert found[-1] == "192.0.2.66 has no key"
    for number in range(200):
        many.note(f"198.51.100.{number}", "has no key")
    found = many.since(0.0)
    assert len(found) == strangers.MOST_NAMED + 1
    assert found[-1].startswith(strangers.OTHERS)
    assert many.since(1.0) == ()
    now_s[0] += strangers.KEPT_S
    many.note("203.0.113.1", "has no key")  # the oldest makes room
    assert many.since(1.0) == ("203.0.113.1 has no key",)
    assert len(many.since(0.0)) == strangers.MOST_NAMED + 1


def keeps_names_that_others_chose_from_the_log():
    bad = "a\x1b[31m\nWARNING: all is well"
    assert strangers.shown(bad) == "'a\\x1b[31m\\nWARNING: all is well'"
    assert len(strangers.shown("\U0001f4a3" * 10_000)) < 500
    many = strangers.Strangers()
    many.note("192.0.2.1", f"sent a {bad}", name=bad, detail=bad * 100)
    (line,) = many.since(0.0)
    assert line.isprintable()
    assert len(line) < 400
    with server() as (made, received), dealer(made.port, bad) as own:
        own.send(Message("client_ready", "2", bad).serialize())
        until_named("its identity is no printable text")
        assert received == []


def agent_says(agents, process, *, name="web", wire=WIRE_VERSION, **more):
    hello = Hello(wire=wire, name=name, host="h", pid=7, version="1", process=process)
    data = {**to_plain(hello), **more}
    letter = Letter(
        kind=messages.HELLO, data=data, sender=process, received_s=0.0, peer=Peer("192.0.2.7", "1")
    )  # fmt: skip
    agents.hello(letter)


def keeps_seats_and_refusals_of_agents_bounded():
    runner = SimpleNamespace(send_message=lambda *_, **__: None)
    agents = roster.Roster(runner, master="m", clock=lambda: 0.0)
    bus_parts.forget_the_strangers()
    for number in range(1000):
        agent_says(agents, f"p{number}", name=f"n{number}")
        agent_says(agents, f"q{number}", wire=99, field_of_the_future=1)
    assert len(agents._seats) == len(agents.agents()) == roster.MOST_SEATS
    assert len(agents._refused) == roster.MOST_REFUSED
    assert any(line.startswith("192.0.2.7:1 ('n100') is one agent more") for line in named()), named()
    assert len(named()) < 20
    for name in ("x" * 101, "a\nb"):
        try:
            agent_says(agents, "p0", name=name)
        except words.WireError as error:
            assert "its name must be printable text" in str(error)  # noqa: PT017 - this is no pytest
        else:
            raise AssertionError(name)


def keeps_the_door_open_whatever_goes_wrong_at_it():
    with tempfile.TemporaryDirectory() as folder:
        keys = keys_in(folder, "ours")
        answer, see, failures = Doorkeeper._answer, Doorkeeper._see, []

        def fail_once(original):
            def fails(self, *words_):
                if original not in failures:
                    failures.append(original)
                    raise ValueError("as something may")
                return original(self, *words_)

            return fails

        Doorkeeper._answer, Doorkeeper._see = fail_once(answer), fail_once(see)
        try:
            with server(keys) as (made, received):
                sockets.RECONNECT_S = 0.1
                mine = zmqrpc.Client(LOOPBACK, made.port, "mine")

                def let_in():
                    mine.send(Message("client_ready", "2", "mine"))
                    return received

                until(let_in, "the worker to be let in")
                mine.close(linger=0)
            assert len(failures) == 2
        finally:
            Doorkeeper._answer, Doorkeeper._see = answer, see


def keeps_no_descriptor_of_what_is_no_connection():
    before = open_files()
    reading, writing = os.pipe()
    assert doorkeeper.peer_at(reading) == doorkeeper.UNKNOWN
    close = get_original("os", "close")  # gevent's own closes later
    close(reading)
    close(writing)
    assert doorkeeper.peer_at(reading) == doorkeeper.UNKNOWN
    for one in _socket.socketpair():
        assert doorkeeper.peer_at(one.fileno()) == doorkeeper.UNKNOWN
        one.close()
    assert open_files() <= before


def keeps_the_number_of_workers_bounded():
    known = guard.Workers()

    class Clients(dict):
        @property
        def all(self):
            return list(self.values())

    clients = Clients({str(n): SimpleNamespace(id=str(n), state="ready") for n in range(guard.MOST_WORKERS)})
    known.take(clients)
    assert known.have_room("0")
    assert not known.have_room("new")
    clients["7"].state = "missing"
    assert known.have_room("new")
    assert "7" not in known
    for number in range(guard.MOST_FORMER + 10):
        known.leaves(f"left {number}")
    assert "left 9" not in known
    assert "left 10" in known


if __name__ == "__main__":
    bus_parts.main(globals(), sys.argv[1:])
