"""What Locust sees of a burst: one parked user per worker, and a shape that lasts until the run is done.

The load itself is the engine's (`floodmark.load.worker`): 10,000 greenlets would measure greenlets.
"""

from typing import ClassVar

from gevent.event import Event
from locust import LoadTestShape, User, task

SPAWN_RATE_PER_WORKER = 100
"""Locust warns above this; one user per worker is spawned at once in any case."""


class ParkedUser(User):
    """Marks a worker as running in Locust's own view; it sends nothing."""

    abstract = True

    @task
    def park(self) -> None:
        """Waits until Locust stops the user."""
        Event().wait()


class UntilDone(LoadTestShape):
    """As many users as there are workers, until the conductor says that the run is over.

    A shape, because it takes Locust's user count and spawn rate out of the start form: a burst has neither.
    """

    abstract: ClassVar[bool] = True
    finished: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Locust's is not annotated
        self._users = 0

    def tick(self) -> tuple[int, float] | None:
        """Users and spawn rate; None ends the test. Locust asks once a second."""
        if type(self).finished or self.runner is None:
            type(self).finished = False
            self._users = 0
            return None
        if not self._users:
            self._users = max(1, getattr(self.runner, "worker_count", 1))
        return self._users, float(self._users * SPAWN_RATE_PER_WORKER)
