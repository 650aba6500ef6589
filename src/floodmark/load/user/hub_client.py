"""The engine's client inside a gevent hub. Who sends on its lines, and sleeps meanwhile, is ``line_pool``'s business.

One watcher on the engine's own epoll for all greenlets of the hub, and one timer for all their timeouts.
"""

import os
import time
from weakref import WeakKeyDictionary

from gevent import get_hub
from gevent.event import AsyncResult
from gevent.hub import Hub
from gevent.monkey import get_original

from floodmark.core.address import Address
from floodmark.engine.client import Client
from floodmark.engine.endpoint import Endpoint, resolve
from floodmark.engine.line import Line
from floodmark.engine.route import Route

READABLE = 1
"""libev's EV_READ."""


class HubClient:
    """All FloodUsers of a process share one. `sleep` gives the turn to the hub until this greenlet is switched to."""

    def __init__(self, hub: Hub) -> None:
        self.sleep = hub.switch
        self._hub = hub
        self._client = Client(on_due=self._set_timer, new_epoll=get_original("select", "epoll"))
        self._watcher = hub.loop.io(self._client.fileno(), READABLE)
        self._watcher.start(self._client.step)
        self._timer = hub.loop.timer(0)
        self._endpoints: dict[tuple[str, int], AsyncResult] = {}

    @property
    def open_lines(self) -> int:
        """How many connections there are."""
        return self._client.open_lines

    def endpoint(self, host: str, port: int) -> Endpoint:
        """The endpoint of a name, looked up once; who asks meanwhile waits. After a `UsageError` it is asked anew."""
        found = self._endpoints.get((host, port))
        if found is None:
            found = self._endpoints[host, port] = AsyncResult()
            try:
                found.set(resolve(Address(host=host, port=port)))
            except BaseException as error:
                del self._endpoints[host, port]
                found.set_exception(error)
                raise
        endpoint: Endpoint = found.get()
        return endpoint

    def line(self, route: Route) -> Line:
        """A new line; it opens nothing until its first exchange."""
        return self._client.line(route)

    def close(self) -> None:
        """Closes every line, and the epoll."""
        self._watcher.close()
        self._timer.close()
        self._client.close()

    def _set_timer(self, due_s: float) -> None:
        self._timer.stop()
        self._timer = self._hub.loop.timer(max(0.0, due_s - time.monotonic()))
        self._timer.start(self._client.expire, update=True)


_clients: WeakKeyDictionary[Hub, HubClient] = WeakKeyDictionary()
os.register_at_fork(after_in_child=_clients.clear)  # a child that steps its parent's epoll would take its events


def hub_client() -> HubClient:
    """The one of the current hub."""
    hub = get_hub()
    client = _clients.get(hub)
    if client is None:
        client = _clients[hub] = HubClient(hub)
    return client
