"""The calling thread ahead of all others of its host, for the moment in which a burst is released. It releases nothing.

Workers that share their cores with others are held up at different times, and so are apart by a scheduler's turn or
more. Who runs the worker allows it: by the capability CAP_SYS_NICE, or by a limit on real-time priorities above 0. Root
has the right in any case, so that it says nothing: a worker of root's is ahead only where the limit says so.
"""

import contextlib
import os
import resource

PRIORITY = 1
"""The lowest of the real-time ones: ahead of everything but what the kernel needs itself (sched(7))."""


class Ahead:
    """Ahead between `begin` and `end`; the second `end` of two does nothing."""

    def __init__(self) -> None:
        self._before: tuple[int, os.sched_param] | None = None

    def begin(self) -> bool:
        """Whether it is ahead now."""
        if self._before is None and _is_meant():
            before = os.sched_getscheduler(0), os.sched_getparam(0)
            with contextlib.suppress(OSError):  # no right to it, a container's filter, or a control group without
                os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
                self._before = before
        return self._before is not None

    def end(self) -> None:
        """As it was before."""
        if self._before is not None:
            os.sched_setscheduler(0, *self._before)
            self._before = None


def _is_meant() -> bool:
    soft, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    return bool(os.geteuid()) or soft == resource.RLIM_INFINITY or soft >= PRIORITY
