"""Carries out one order as a Locust worker does: gevent, the share, the driver, the record. It measures nothing."""

from collections.abc import Callable
from typing import Any

Send = Callable[[str, Any], None]


def worker_environment() -> Any:
    """Patches this process, and makes the Locust environment of a worker in it."""
    import gevent.monkey  # noqa: PLC0415 - a patched process is what this one is to be from now on

    gevent.monkey.patch_all()
    from locust.env import Environment  # noqa: PLC0415 - it wants to be patched first

    import floodmark.load  # noqa: F401, PLC0415 - what every worker has imported

    environment = Environment(user_classes=[])
    environment.create_local_runner()
    return environment


def carry_out(environment: Any, order: Any, *, begins_after_s: float = 0.0, send: Send = lambda *_: None) -> Any:
    """Carries an order out to its end and gives back its share; what it has to say to the master goes to `send`."""
    import time  # noqa: PLC0415 - the patched one

    import gevent  # noqa: PLC0415 - the same

    from floodmark.engine.dial import dial_to  # noqa: PLC0415 - the same
    from floodmark.load.worker.drive import drive  # noqa: PLC0415 - the same
    from floodmark.load.worker.share import begin_share  # noqa: PLC0415 - the same

    def run() -> Any:
        at_s = time.monotonic() + begins_after_s
        share = begin_share(order, dial_to(order.address), at_s, send=send, environment=environment)
        drive(share.load, cut_at_s=at_s + order.profile.longest_s, report=share.report, tend=share.tend)
        share.end()
        return share

    return gevent.spawn(run).get()
