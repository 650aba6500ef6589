"""The workers of a run: who they are, what they said, who is lost. It sends nothing; Locust's runner knows them."""

from typing import Any

import locust.runners

from floodmark.core.messages import Ready, WorkerReport
from floodmark.engine.ports import port_pressure

SILENT_BEATS = 5
"""A worker says hello every second from its first word on: one that missed so many of them at its start is none."""


def is_silent(client: Any) -> bool:
    """A node that said it is a worker, and nothing since; `client` is in Locust's node list."""
    return bool(client.heartbeat <= locust.runners.HEARTBEAT_LIVENESS - SILENT_BEATS)


class Squad:
    """The workers that Locust has running when a run begins. `names` has each one's name by its identity on the bus."""

    def __init__(self, clients: Any) -> None:
        """`clients` is the node list of Locust's master runner."""
        self._clients = clients
        identities = sorted(client.id for client in clients.running)
        self.names = {identity: f"worker-{number}" for number, identity in enumerate(identities, start=1)}
        self.ready: dict[str, Ready] = {}
        self.done: dict[str, WorkerReport] = {}

    def __len__(self) -> int:
        return len(self.names)

    def new_run(self) -> None:
        """Forgets what was said in the run before."""
        self.ready, self.done = {}, {}

    @property
    def all_ready(self) -> bool:
        """Every worker has answered its order."""
        return len(self.ready) == len(self.names)

    @property
    def all_done(self) -> bool:
        """Every worker has reported its end."""
        return len(self.done) == len(self.names)

    @property
    def missing(self) -> list[str]:
        """The workers that have not reported their end."""
        return sorted(set(self.names.values()) - set(self.done))

    @property
    def lost(self) -> list[str]:
        """The workers that Locust has no more, and that have not reported their end."""
        return [name for identity, name in self.names.items() if not self.is_here(identity) and name not in self.done]

    def gone(self) -> list[str]:
        """The identities of those that Locust still has, and that neither reported their end nor are heard any more."""
        clients = self._clients
        unheard = (identity for identity in self.names if identity in clients and is_silent(clients[identity]))
        return [identity for identity in unheard if self.names[identity] not in self.done]

    def is_here(self, identity: str) -> bool:
        """Locust knows the worker, and does not miss it."""
        return identity in self._clients and self._clients[identity].state != "missing"

    def is_known(self, identity: str) -> bool:
        """Locust knows the worker, be it that it misses it."""
        return identity in self._clients

    def slots(self) -> dict[str, tuple[int, int]]:
        """Name to (slot, slots): which of its host's workers each is; they share the host's source ports."""
        by_host: dict[str, list[str]] = {}
        for name in self.names.values():
            ready = self.ready.get(name)
            by_host.setdefault(ready.host if ready else name, []).append(name)
        return {name: (slot, len(names)) for names in by_host.values() for slot, name in enumerate(names)}

    def port_notes(self, most_connections: int) -> list[str]:
        """A sentence for each host whose workers come near to the end of its source ports; all have said `Ready`."""
        by_host: dict[str, list[Ready]] = {}
        for ready in self.ready.values():
            by_host.setdefault(ready.host, []).append(ready)
        notes = []
        for workers in by_host.values():
            one, share = workers[0], -(-most_connections * len(workers) // len(self.names))
            if one.ports is None:
                continue
            if words := port_pressure(share, one.ports, one.time_wait, reuses=one.reuses_time_wait):
                notes.append(f"{', '.join(sorted(ready.worker for ready in workers))}: {words}")
        return notes
