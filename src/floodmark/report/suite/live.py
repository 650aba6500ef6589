"""What a suite looks like while it goes on: a line for each row that is done, and the one under way below them."""

import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.text import Text

from floodmark.core.suite import RowState, SuiteRow, SuiteTable
from floodmark.report.live.drawing import joined
from floodmark.report.live.region import LiveRegion
from floodmark.report.live.run import BAR_CELLS, REDRAW_EVERY_S, LiveState, table
from floodmark.report.suite.words import TITLES, name_words, note, result_words
from floodmark.report.words import plural, printable

BAD = "bold red"

SILENT_S = 2.0
"""A command that says nothing for longer seems to hang."""

TELL_EVERY_S = 5.0


class SuiteLive(LiveRegion):
    """Shows rows as they begin and end; on a terminal also how the one under way goes, redrawn in place."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives monotonic seconds."""
        super().__init__(console)
        self._clock = clock
        self._head = Text()
        self._place = ""
        self._began_s = self._ends_s = clock()
        self._shown_s: float | None = None
        self._has_said = False

    def begin(self, row: SuiteRow, number: int, rows: int, left_s: float) -> None:
        """See `SuiteView.begin`."""
        self._has_said = False
        self._began_s = self._clock()
        self._ends_s = self._began_s + left_s
        self._place = f"[{number:>{len(str(rows))}}/{rows}]"
        self._head = Text.assemble((self._place, "dim"), f" {name_words(row)}: {TITLES[row.table].lower()}")
        if self._live is None:
            self._line(f"{self._place} {name_words(row)}: {TITLES[row.table].lower()}; {self._left_words()} left")
        self._show(None)

    def say(self, words: str) -> None:
        """See `SuiteView.say`. Without a terminal the first words of a row are a line: the wait may take a minute."""
        if self._live is None and not self._has_said:
            self._line(f"{' ' * len(self._place)} {words}")
        self._has_said = True
        self.update(LiveState(phase=words, elapsed_s=self._clock() - self._began_s))

    def update(self, state: LiveState) -> None:
        """The state of the run under way, as a `View` gets it."""
        now_s = self._clock()
        if self._shown_s is None or now_s - self._shown_s >= REDRAW_EVERY_S:
            self._show(state)

    def warn(self, words: str) -> None:
        """Writes a line that stays, on a terminal above what is drawn."""
        self._console.print(Text(printable(words)), soft_wrap=True)

    def end(self, row: SuiteRow) -> None:
        """See `SuiteView.end`."""
        words, is_bad = result_words(row), bool(note(row)) or row.state is not RowState.DONE
        if self._live is None:
            self._line(f"{' ' * len(self._place)} {words}")
            return
        done = Text.assemble((self._place, "dim"), f" {name_words(row)}: ", (printable(words), BAD if is_bad else ""))
        self._live.console.print(done, soft_wrap=False)

    def _show(self, state: LiveState | None) -> None:
        if self._live is None:
            return
        self._shown_s = self._clock()
        cells, ascii_only = max(1, min(BAR_CELLS, self._console.width - 2)), self._console.options.ascii_only
        head = joined([self._head, Text(f"{self._left_words()} left", style="dim")], cells)
        parts: list[RenderableType] = [head]
        if state is not None:
            parts.append(table(state, cells, ascii_only=ascii_only))
        self._live.update(Group(*parts), refresh=True)

    def _line(self, words: str) -> None:
        self._console.print(Text(printable(words) if not words.startswith(" ") else words), soft_wrap=True)

    def _left_words(self) -> str:
        return left_words(self._ends_s - self._clock())


def left_words(left_s: float) -> str:
    """``about 12 min``, ``under a minute``: a guess is not given in seconds."""
    minutes = round(left_s / 60)
    return f"about {minutes} min" if minutes >= 1 else "under a minute"


class JudgingView:
    """Says how far a suite is that is judged again, once that takes longer than a user waits in silence."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives monotonic seconds."""
        self._console = console
        self._clock = clock
        self._next_s = clock() + SILENT_S

    def tell(self, number: int, rows: int) -> None:
        """`number` of so many rows are judged."""
        now_s = self._clock()
        if number < rows and now_s >= self._next_s:
            self._next_s = now_s + TELL_EVERY_S
            self.warn(f"judged {number} of {rows} runs again")

    def warn(self, words: str) -> None:
        """Writes a line."""
        self._console.print(Text(printable(words)), soft_wrap=True)


def plan_words(rows: tuple[SuiteRow, ...]) -> str:
    """What lies ahead: ``62 runs: 46 for how many at once, 16 for how many per second``, or that nothing does."""
    if not rows:
        return "nothing is left to run"
    counts = {table: sum(row.table is table for row in rows) for table in SuiteTable}
    parts = [f"{number} for {TITLES[table].lower()}" for table, number in counts.items() if number]
    total = plural(len(rows), "run")
    return f"{total}: {', '.join(parts)}" if len(parts) > 1 else total
