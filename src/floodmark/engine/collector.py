"""Python's garbage collector, kept out of a load's way.

A full collection looks at all that a process has: some 30 ms in a Locust worker, more with a user's imports. It comes
when enough was allocated, so in the middle of a burst, and in one worker earlier than in the other.
"""

import gc


class Aside:
    """Between `begin` and `end` collections take as long as the load is large, and not as the process is.

    What there is at the beginning is not looked at meanwhile. Who has had something frozen for good is left alone.
    """

    def __init__(self) -> None:
        self._is_on = False

    def begin(self) -> None:
        """Takes a full collection, so before anybody waits for an instant. The second of two does nothing."""
        if not self._is_on and not gc.get_freeze_count():
            gc.collect()
            gc.freeze()
            self._is_on = True

    def end(self) -> None:
        """All is looked at again. The second of two does nothing."""
        if self._is_on:
            gc.unfreeze()
            self._is_on = False


class Pause:
    """No collection at all between `begin` and `end`. The second of two does nothing."""

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
