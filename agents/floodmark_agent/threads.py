"""Threads of one process that came and went: by their ids where these are listed, else by how many there are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadChange:
    """Since the call before: `started` and `ended`. `listed` False: by the number alone, so at least as many."""

    started: int
    ended: int
    listed: bool


class ThreadTally:
    """Remembers the ids of the last listing, and how many have been told as started since.

    Between two listings the number of threads says the least that can have happened. A listing adds those that took
    the place of others: nobody is told twice.
    """

    def __init__(self, pid: int) -> None:
        """`pid` is the id of the first thread, too."""
        self._alone = frozenset({pid})
        self._known: frozenset[int] = frozenset()
        self._count = self._told_started = 0
        self._is_behind = False

    def change(
        self, threads: int, list_ids: Callable[[], Sequence[int] | None] | None, *, nothing_started: bool
    ) -> ThreadChange:
        """What has changed, with `threads` there now.

        `list_ids` is asked where only a listing can tell; None: it is not to be.
        """
        same = threads == self._count and not self._is_behind
        if same and (nothing_started or self._known == self._alone):
            # As many as before and none started: the same ones. Or the first one alone, before and now: one that came
            # and went in between is never seen, listed or not.
            return ThreadChange(started=0, ended=0, listed=True)
        listed = None if list_ids is None else list_ids()
        if listed is None:
            self._is_behind = True
            return self._by_number(threads)
        return self._by_ids(frozenset(listed))

    def _by_number(self, threads: int) -> ThreadChange:
        more, self._count = threads - self._count, threads
        self._told_started += max(more, 0)
        return ThreadChange(started=max(more, 0), ended=max(-more, 0), listed=False)

    def _by_ids(self, now: frozenset[int]) -> ThreadChange:
        change = self._by_number(len(now))
        # Whoever started beyond what the numbers told has taken the place of one that ended.
        replaced = max(len(now - self._known) - self._told_started, 0)
        self._known, self._is_behind = now, False
        self._told_started = 0
        return ThreadChange(started=change.started + replaced, ended=change.ended + replaced, listed=True)
