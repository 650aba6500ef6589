"""What the terminal's reports have in common: bare tables, and no spaces at line ends in a file. No words."""

from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from rich.text import Text

INDENT = (0, 0, 0, 2)


def print_trimmed(console: Console, draw: Callable[[], None]) -> None:
    """Has `draw` print on the console. Tables fill their cells with spaces, which a file need not keep."""
    if console.is_terminal:
        draw()
        return
    with console.capture() as captured:
        draw()
    print_plain(console, captured.get())


def print_plain(console: Console, text: str) -> None:
    """Lines as they are, but for spaces at their ends."""
    plain = "\n".join(line.rstrip() for line in text.splitlines())
    console.print(Text(plain), soft_wrap=True)


def columns(*names: str) -> Table:
    """An empty table. A name that ends in ``>`` is a column of numbers: they are never broken."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in names:
        is_number = name.endswith(">")
        table.add_column(
            name.removesuffix(">"), justify="right" if is_number else "left", no_wrap=is_number, overflow="fold"
        )
    return table
