"""What the guarded bus promises to workers whose master is another one now, or has given them up.

Run by `test_bus.py` like `bus_parts.py`. Each `keeps_...` is a test and is called by `main`.
"""

import sys
from types import SimpleNamespace

import bus_parts
from bus_parts import LOOPBACK, free_port, until
from locust.env import Environment
from locust.runners import HEARTBEAT_LIVENESS

from floodmark.load.master.squad import SILENT_BEATS, Squad
from floodmark_deploy.port import is_free


def master_on(port):
    """As soon as the one before has given the port back: ZeroMQ closes in threads of its own."""
    until(lambda: is_free(LOOPBACK, port), "the port to be free")
    return Environment().create_master_runner(LOOPBACK, port)


def ended(*runners):
    for runner in runners:
        runner.greenlet.kill(block=True)


def keeps_the_workers_of_a_master_that_was_killed():
    """By itself a worker would wait for a minute, and then end."""
    port = free_port()
    first = master_on(port)
    worker = Environment().create_worker_runner(LOOPBACK, port)
    until(lambda: first.worker_count == 1, "the worker")
    ended(first)
    first.server.close(linger=0)
    second = master_on(port)
    until(lambda: worker.client_id in second.clients, "the worker to be the new master's")
    assert second.clients[worker.client_id].state == "ready"
    ended(worker, second)
    second.server.close(linger=0)


def keeps_a_worker_that_was_given_up_and_is_heard_again():
    port = free_port()
    master = master_on(port)
    worker = Environment().create_worker_runner(LOOPBACK, port)
    until(lambda: master.worker_count == 1, "the worker")
    del master.clients[worker.client_id]
    until(lambda: worker.client_id in master.clients, "the worker to be back")
    assert master.worker_indexes == {worker.client_id: 0}
    ended(worker, master)
    master.server.close(linger=0)


def keeps_lost_apart_from_silent_and_from_late():
    """Only one that neither reports nor is heard is taken from Locust's list."""
    late, silent = HEARTBEAT_LIVENESS, HEARTBEAT_LIVENESS - SILENT_BEATS
    beats = {"a": late, "b": silent, "c": silent, "d": late}
    clients = {name: SimpleNamespace(id=name, state="running", heartbeat=beat) for name, beat in beats.items()}
    squad = Squad(Clients(clients))
    squad.done[squad.names["c"]] = "its report"
    assert squad.gone() == ["b"]
    del clients["b"]
    assert Squad(Clients(clients)).gone() == ["c"]


class Clients(dict):
    """Locust's list of nodes."""

    @property
    def running(self):
        return list(self.values())


if __name__ == "__main__":
    bus_parts.main(globals(), sys.argv[1:])
