"""A command line of the target's process tree, as the agent tells it. What it means is said elsewhere."""

from dataclasses import dataclass

HIDDEN = "***"
"""Stands where something secret stood, or may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """One command line, joined by single blanks, and the processes that have it (forked ones share theirs).

    `pids` may not be all of them: there is a bound on how many are read. `cut`: the line is longer than `words`.
    """

    words: str
    pids: tuple[int, ...]
    cut: bool = False

    @property
    def is_whole(self) -> bool:
        """An option that is not in `words` was not given: nothing was cut off, and no word of its own is hidden."""
        return not self.cut and HIDDEN not in self.words.split()
