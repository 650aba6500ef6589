"""What the guarded sockets promise and no run is needed for; run by `test_bus.py` in a process of its own.

Each `keeps_...` is a test and is called by `main`: importing `floodmark.load` patches the whole process.
"""

import ast
import inspect
import logging
import os
import socket
import sys
import tempfile
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path

import gevent
import locust.runners
import msgpack
import zmq.green as zmq
from locust.env import Environment
from locust.exception import RPCError
from locust.rpc import zmqrpc
from locust.rpc.protocol import Message
from locust.runners import MasterRunner, WorkerRunner

LOCUSTS_SERVER, LOCUSTS_CLIENT = zmqrpc.Server, zmqrpc.Client

from floodmark.core import messages  # noqa: E402 - Locust's own classes are noted first
from floodmark.core.bus_keys import AGENT, WORKER, read_node_keys  # noqa: E402
from floodmark.core.errors import UsageError  # noqa: E402
from floodmark.load import secure_bus  # noqa: E402
from floodmark.load.bus import guard, sockets, strangers  # noqa: E402
from floodmark.load.bus.settings import SETTINGS, BusSettings  # noqa: E402
from floodmark_deploy import port as ports  # noqa: E402
from floodmark_deploy.keys import make_keys  # noqa: E402

LOOPBACK = "127.0.0.1"
DEADLINE_S = 20.0


def until(condition, what):
    deadline_s = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline_s, f"waited {DEADLINE_S} s for {what}; strangers: {named()}"
        gevent.sleep(0.01)
    return found


def named():
    return strangers.STRANGERS.since(0.0)


def forget_the_strangers():
    vars(strangers.STRANGERS).update(vars(strangers.Strangers()))


def until_named(*words):
    until(lambda: any(all(word in line for word in words) for line in named()), f"{words} to be named")


@contextmanager
def server(keys="", port=0):
    """A guarded server, what it has received, and no strangers yet."""
    gevent.sleep(2 * sockets.MOVING_S)  # those of the part before are named by then
    forget_the_strangers()
    SETTINGS.take_keys(str(keys))
    made, received = until(lambda: bound(port), "the port to be free"), []

    def listen():
        while True:
            received.append(made.recv_from_client())

    listener = gevent.spawn(listen)
    try:
        yield made, received
    finally:
        assert not listener.dead, "the listener has died"
        listener.kill()
        made.close(linger=0)


def bound(port):
    """ZeroMQ gives a closed socket's port back a moment later."""
    try:
        return zmqrpc.Server(LOOPBACK, port)
    except RPCError:
        return None


def free_port():
    return ports.free_port(LOOPBACK)


def until_at_the_door(made, port):
    """The thread there has seen a connection, while it is one, and knows whose it is."""
    until(lambda: any(one.peer.port == str(port) for one in list(made._door._callers.values())), "the door to see it")


@contextmanager
def client(port, identity, keys=""):
    SETTINGS.take_keys(str(keys))
    made = zmqrpc.Client(LOOPBACK, port, identity)
    try:
        yield made
    finally:
        made.close(linger=0)


@contextmanager
def dealer(port, identity="stranger", pair=None, master=""):
    """A socket that is none of ours; `pair` are its keys, `master` is whom it takes for its master."""
    context = zmq.Context()
    made = context.socket(zmq.DEALER)
    made.setsockopt(zmq.IDENTITY, identity.encode())
    if pair:
        made.setsockopt(zmq.CURVE_PUBLICKEY, pair[0].encode())
        made.setsockopt(zmq.CURVE_SECRETKEY, pair[1].encode())
        made.setsockopt(zmq.CURVE_SERVERKEY, master.encode())
    made.connect(f"tcp://{LOOPBACK}:{port}")
    try:
        yield made
    finally:
        made.close(linger=0)


def keys_in(folder, name):
    make_keys(Path(folder) / name)
    return Path(folder) / name


def keeps_the_guard_where_locust_looks_for_its_sockets():
    port = free_port()
    master = Environment().create_master_runner(LOOPBACK, port)
    try:
        assert isinstance(master.server, sockets.GuardedServer)
        worker = Environment().create_worker_runner(LOOPBACK, port)
        assert isinstance(worker.client, sockets.GuardedClient)
        until(lambda: master.worker_count == 1, "the worker")
        worker.quit()
    finally:
        master.quit()
        master.server.close()


def keeps_to_what_locust_says_and_calls_today():
    handled = ast.parse(textwrap.dedent(inspect.getsource(MasterRunner.handle_message.__wrapped__)))
    cases = {
        pattern.value.value
        for node in ast.walk(handled)
        if isinstance(node, ast.match_case) and isinstance(pattern := node.pattern, ast.MatchValue)
    }
    assert cases == guard.LOCUSTS_TYPES, cases ^ guard.LOCUSTS_TYPES
    runners = ast.parse(inspect.getsource(locust.runners))
    called = {
        (node.value.attr, node.attr)
        for node in ast.walk(runners)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute)
        if node.value.attr in ("server", "client")
    }
    assert called == {
        ("server", "recv_from_client"), ("server", "send_to_client"), ("server", "close"),
        ("client", "send"), ("client", "recv"), ("client", "close"),
    }  # fmt: skip
    assert WorkerRunner.handle_message.__wrapped__


def keeps_speaking_with_locusts_own_sockets():
    with server() as (made, received):
        own = LOCUSTS_CLIENT(LOOPBACK, made.port, "plain worker")
        data = {"state": "ready", "counts": {1: 2.5}, "text": "ä"}
        own.send(Message("heartbeat", data, "plain worker"))
        sender, message = until(lambda: received and received[0], "the message")
        assert (sender, message.type, message.data, message.node_id) == (
            "plain worker", "heartbeat", data, "plain worker",
        )  # fmt: skip
        made.send_to_client(Message("ack", {"index": 0}, "plain worker"))
        assert own.recv().data == {"index": 0}
        own.close()
    locusts = LOCUSTS_SERVER(LOOPBACK, 0)
    with client(locusts.port, "me") as mine:
        mine.send(Message("client_ready", "2", "me"))
        assert locusts.recv_from_client()[0] == "me"
        locusts.send_to_client(Message("ack", None, "me"))
        assert mine.recv().type == "ack"
    locusts.close()
    assert named() == ()


MALFORMED = {
    "nothing": b"",
    "no msgpack": b"\xc1",
    "cut off": msgpack.dumps(("stats", {}, "x"))[:-1],
    "two values": msgpack.dumps(("stats", {})),
    "four values": msgpack.dumps(("stats", {}, "x", 1)),
    "a number": msgpack.dumps(7),
    "two messages": msgpack.dumps(("stats", {}, "x")) * 2,
    "a type that is a list": msgpack.dumps((["stats"], {}, "x")),
    "a type that is nothing": msgpack.dumps((None, {}, "x")),
    "someone else's name": msgpack.dumps(("stats", {}, "the honest worker")),
    "no name": msgpack.dumps(("stats", {}, None)),
    "not UTF-8": b"\x93\xa1\xff\xc0\xa1x",
    "too deep": b"\x91" * 100_000,
    "no date": msgpack.dumps(("stats", {"__datetime__": True, "as_str": "never"}, "x")),
    "an object id": msgpack.dumps(("stats", {"__ObjectId__": True, "as_str": "x"}, "x")),
    "a key that is a list": b"\x93\xa1s\x81\x91\x01\x02\xa1x",
}


def keeps_every_malformed_message_from_the_listener_and_names_its_sender():
    with server() as (made, received):
        for name, words in MALFORMED.items():
            forget_the_strangers()
            with dealer(made.port, name) as own:
                own.send(words.replace(b"\xa1x", bytes([0xA0 + len(name)]) + name.encode()))
                until_named(f"({name!r})", "sent what is no message")
        with dealer(made.port, "frames") as own:
            own.send_multipart([b"one", b"two"])
            until_named("('frames')", "2 frames, not 1")
        assert received == []
        with client(made.port, "honest") as mine:
            mine.send(Message("stats", {}, "honest"))
            until(lambda: received, "the honest message")
    assert all(line.startswith(LOOPBACK) for line in named())


def keeps_a_stranger_that_goes_on_to_one_line_with_how_often():
    with server() as (made, _), dealer(made.port) as own:
        for _ in range(50):
            own.send(b"\xc1")
        until_named("(50 times)")
        assert len(named()) == 1


def keeps_out_a_message_of_100_megabytes():
    with server() as (made, received), dealer(made.port) as own:
        own.send(b"x" * 100_000_000)
        until_named("left without a message that can be read")
        assert received == []


def keeps_the_longest_message_of_locusts():
    with server() as (made, received), client(made.port, "me") as mine:
        made.workers.take({"me"})
        mine.send(Message("stats", b"x" * 60_000_000, "me"))
        until(lambda: received, "the message")
        assert named() == ()


def keeps_what_is_no_zeromq_named_by_its_address():
    with server() as (made, _):
        with socket.create_connection((LOOPBACK, made.port)) as raw:
            raw.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
            port = raw.getsockname()[1]
            until_at_the_door(made, port)
        until_named(f"{LOOPBACK}:{port}")


def keeps_the_keyed_bus_to_those_with_a_key():
    with tempfile.TemporaryDirectory() as folder:
        keys, others = keys_in(folder, "ours"), keys_in(folder, "theirs")
        worker, stranger = read_node_keys(keys, WORKER), read_node_keys(others, WORKER)
        word = Message("client_ready", "2", "stranger").serialize()
        with server(keys) as (made, received):
            attempts = {
                "has no key": {},
                "has a key that is none of this cluster's": {
                    "pair": (stranger.public, stranger.secret), "master": worker.master,
                },
                "holds the key of another master": {
                    "pair": (worker.public, worker.secret), "master": stranger.master,
                },
            }  # fmt: skip
            for words, how in attempts.items():
                with dealer(made.port, **how) as own:
                    own.send(word)
                    until_named(words)
            assert received == []
            with client(made.port, "mine", keys) as mine:
                mine.send(Message("client_ready", "2", "mine"))
                until(lambda: received, "the worker with its key")
                made.send_to_client(Message("ack", None, "mine"))
                assert mine.recv().type == "ack"
            assert len(received) == 1


def keeps_an_agents_key_to_an_agents_words():
    with tempfile.TemporaryDirectory() as folder:
        keys = keys_in(folder, "ours")
        agent, me = read_node_keys(keys, AGENT), "an agent"
        pair = (agent.public, agent.secret)
        with server(keys) as (made, received), dealer(made.port, me, pair, agent.master) as own:
            own.send(Message(messages.HELLO, {}, me).serialize())
            until(lambda: received, "its hello")
            for kind in ("client_ready", "stats", messages.HITS, messages.DONE):
                own.send(Message(kind, {}, me).serialize())
            until_named("sent a message that its key does not allow", "(4 times)")
            assert len(received) == 1


def keeps_a_worker_knocking_until_the_master_has_its_keys():
    sockets.RECONNECT_S = 0.1
    with tempfile.TemporaryDirectory() as folder:
        keys = keys_in(folder, "ours")
        with server() as (plain, _):
            port = plain.port
            mine = zmqrpc.Client(LOOPBACK, port, "mine") if SETTINGS.take_keys(str(keys)) else None
            mine.send(Message("client_ready", "2", "mine"))
            until_named("has a key, and this bus has none")
        with server(keys, port) as (_, received):

            def let_in():
                mine.send(Message("client_ready", "2", "mine"))
                return received

            until(let_in, "the worker to be let in")
        mine.close(linger=0)


def keeps_a_masters_garbage_from_ending_a_worker():
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    port = router.bind_to_random_port(f"tcp://{LOOPBACK}")
    forget_the_strangers()
    with client(port, "me") as mine:
        mine.send(Message("client_ready", "2", "me"))
        router.recv_multipart()
        for frames in ([b"\xc1"], [msgpack.dumps(("spawn", {}))], [b"one", b"two"]):
            router.send_multipart([b"me", *frames])
        router.send_multipart([b"me", Message("ack", None, "me").serialize()])
        assert mine.recv().type == "ack"
    router.close(linger=0)
    assert any("the master" in line for line in named())
    assert not any(line for line in named() if LOOPBACK in line)


def keeps_runners_alive_whatever_a_message_holds():
    port = free_port()
    master = Environment().create_master_runner(LOOPBACK, port)
    worker = Environment().create_worker_runner(LOOPBACK, port)
    until(lambda: master.worker_count == 1, "the worker")
    wrong = (None, 7, [], {}, {"version": 1}, {"state": 1})
    with dealer(port) as own:
        for kind in [*sorted(guard.LOCUSTS_TYPES - {"client_ready"}), "unknown"]:
            for data in wrong:
                own.send(Message(kind, data, "stranger").serialize())
        until_named("sent a message of an unknown type", "(6 times)")
    for kind in ("spawn", "update_user_class", "spawning_complete", "no such"):
        for data in wrong:
            master.send_message(kind, data)
    heard_s = worker.last_heartbeat_timestamp
    until(lambda: worker.last_heartbeat_timestamp != heard_s, "another heartbeat")
    assert master.worker_count == 1
    worker.quit()
    master.quit()
    master.server.close()


def keeps_the_start_page_when_somebody_speaks_before_a_worker_does():
    forget_the_strangers()
    port = free_port()
    master = Environment().create_master_runner(LOOPBACK, port)
    with dealer(port) as own:
        own.send(Message("heartbeat", {}, "stranger").serialize())
        own.send(Message("unknown", {}, "stranger").serialize())
        until_named("sent a message of an unknown type")
        assert master.state == "ready"
    master.quit()
    master.server.close()


def refusal(settings, host):
    try:
        settings.host_to_bind(host, has_keys=False)
    except UsageError as error:
        return str(error)
    return "none"


def keeps_a_bus_without_keys_on_loopback_unless_it_is_asked_for():
    settings = BusSettings()
    assert settings.host_to_bind("localhost", has_keys=False) == "localhost"
    assert settings.host_to_bind("*", has_keys=False) == LOOPBACK
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        words = refusal(settings, host)
        assert words.startswith(f"--master-bind-host {host}: "), words
        assert "--floodmark-plain-bus yes" in words
        assert settings.host_to_bind(host, has_keys=True) == host
    settings.take_plain("yes")
    assert settings.host_to_bind("*", has_keys=False) == "*"
    settings.take_plain("perhaps")
    assert "give yes or no" in refusal(settings, "*")


def keeps_a_bus_on_loopback_within_reach_of_both_its_names():
    SETTINGS.take_keys("")
    made = zmqrpc.Server("*", free_port())
    for host in (LOOPBACK, "localhost", *(["[::1]"] if socket.has_dualstack_ipv6() else [])):
        own = LOCUSTS_CLIENT(host, made.port, host)
        own.send(Message("stats", None, host))
        assert made.recv_from_client()[0] == host
        own.close()
    made.close()


def main(parts, chosen):
    """Keeps all of the parts, or those chosen by name."""
    logging.disable(logging.CRITICAL)
    secure_bus()
    secure_bus()  # twice is once
    for name, keeps in list(parts.items()):
        if name.startswith("keeps_") and (name in chosen or not chosen):
            began_s = time.monotonic()
            keeps()
            sys.stdout.write(f"{name} {time.monotonic() - began_s:.1f} s\n")
            sys.stdout.flush()
    sys.stdout.write("all kept\n")
    sys.stdout.flush()
    # Locust's runners leave greenlets that would be waited for.
    os._exit(0)


if __name__ == "__main__":
    main(globals(), sys.argv[1:])
