"""A part of the terminal that is drawn again and again while something goes on; nothing where there is no terminal."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live


def can_redraw(console: Console) -> bool:
    """Whether what was drawn may be drawn over: not in a file, nor in a dumb terminal, nor where NO_COLOR is set."""
    return console.is_terminal and not console.is_dumb_terminal and not console.no_color


class LiveRegion:
    """Leaves nothing behind at its end. `_live` is None where lines must do."""

    def __init__(self, console: Console) -> None:
        """Draws on `console`, from entering to leaving it."""
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if can_redraw(console) else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
