"""A comparison for a terminal or a file: the sentence, the sides, and a table of what changed and what did not."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from floodmark.analysis.compare.document import Change, CompareDocument, Comparison
from floodmark.report.compare.words import CompareRow, how_words, sections_of, side_title
from floodmark.report.printing import print_trimmed
from floodmark.report.words import printable

STYLES = {Change.CHANGED: "", Change.NONE_SHOWN: "dim", Change.UNTOLD: "dim"}
HEADS = {Change.CHANGED: "bold red", Change.NONE_SHOWN: "bold green", Change.UNTOLD: "bold yellow"}


def print_compare(document: CompareDocument, console: Console) -> None:
    """Prints it all: the outcome first."""
    print_trimmed(console, lambda: _print_all(document, console))


def _print_all(document: CompareDocument, console: Console) -> None:
    console.print(_text(document.sentence, "bold"))
    for note in document.notes:
        console.print(_text(note, "yellow"))
    _print_sides(document, console)
    for comparison in document.comparisons:
        console.print()
        if len(document.comparisons) > 1:
            console.print(_text(comparison.sentence, "bold"))
        console.print(_table(comparison))
        for section in sections_of(comparison):
            if section.meaning:
                console.print(_text(f"{section.title}: {section.meaning}.", "dim"))
    for sentence in how_words(document):
        console.print(_text(sentence, "dim"))


def _print_sides(document: CompareDocument, console: Console) -> None:
    console.print()
    for side in document.sides:
        console.print(_text(side_title(side), "bold"))
        for run in side.runs:
            marks = f"  not valid: {', '.join(run.invalid)}" if run.invalid else ""
            line = Text.assemble(("  ", ""), printable(run.folder), (printable(marks), "bold red"))
            console.print(line, soft_wrap=True, highlight=False)
    for row in document.conditions:
        console.print(_text(f"Let pass: {row.name}: {' against '.join(row.values)}", "yellow"))


def _table(comparison: Comparison) -> Table:
    """A table for all outcomes, so that the values stand below each other."""
    repeats = comparison.side == comparison.against
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for _ in range(1 if repeats else 2):
        table.add_column(overflow="fold", justify="right")
    table.add_column(overflow="fold")
    names = [comparison.against] if repeats else [comparison.against, comparison.side]
    for number, section in enumerate(sections_of(comparison)):
        head = names if not number else [""] * len(names)
        table.add_row(_text(section.title, HEADS[section.change]), *(_text(name, "bold") for name in head), "")
        for row in section.rows:
            table.add_row(*_cells(row, repeats=repeats), style=STYLES[section.change])
        table.add_row("")
    return table


def _cells(row: CompareRow, *, repeats: bool) -> list[Text]:
    values = [row.before] if repeats else [row.before, row.after]
    return [_text(f"  {row.label}"), *(_text(words) for words in (*values, row.words))]


def _text(words: str, style: str = "") -> Text:
    """Text that cannot carry markup or escape codes from outside."""
    indent = len(words) - len(words.lstrip(" "))
    return Text(" " * indent + printable(words), style=style, overflow="fold")
