"""What Locust sees of a profile: one parked user per worker, and a shape that lasts until the run is done.

The load itself is the engine's (`floodmark.load.worker.worker`): 10,000 greenlets would measure greenlets.
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
    """As many users as there are workers, until the run is over and Locust is told to stop.

    A shape, because it greys out Locust's user count and ramp-up in the start form: no profile has them.
    """

    abstract: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Locust's is not annotated
        self._users = 1

    def reset_time(self) -> None:
        """Locust begins a test: workers may have come or gone since the one before."""
        super().reset_time()  # type: ignore[no-untyped-call] # Locust's is not annotated
        self._users = max(1, getattr(self.runner, "worker_count", 1))

    def tick(self) -> tuple[int, float]:
        """Users and spawn rate, always the same: Locust asks once a second, and None would end the test."""
        return self._users, float(self._users * SPAWN_RATE_PER_WORKER)
