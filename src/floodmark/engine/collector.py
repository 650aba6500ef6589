"""Python's garbage collector, kept out of a load's way.

A full collection looks at all that a process has: some 30 ms in a Locust worker, more with a user's imports. It comes
when enough was allocated, so in the middle of a burst, and in one worker earlier than in the other.
"""

import gc


def set_aside() -> None:
    """What there is by now is not looked at again until `take_back`: collections take as long as the load is large.

    It takes a full collection, so before anybody waits for an instant.
    """
    gc.collect()
    gc.freeze()


def take_back() -> None:
    """All is looked at again."""
    gc.unfreeze()


class Pause:
    """No collection at all between `begin` and `end`; the second `end` of two does nothing."""

    def __init__(self) -> None:
        self._is_on = False

    def begin(self) -> None:
        """Who has switched collections off for good is left alone."""
        if not self._is_on and gc.isenabled():
            gc.disable()
            self._is_on = True

    def end(self) -> None:
        """As it was before."""
        if self._is_on:
            gc.enable()
            self._is_on = False
