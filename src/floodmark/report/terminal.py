"""The verdict for a terminal or a file: the same words, with weight and colour only where the console has them."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from floodmark.analysis.document import Judged, Judgement, Validity, VerdictDocument
from floodmark.analysis.estimates import agreement_words
from floodmark.core.run_folder import REPORT, Manifest
from floodmark.report.findings import banner, fact_rows, place_rows
from floodmark.report.measures import PERCENTILE_COLUMNS, latency_rows, latency_title, percentile_words
from floodmark.report.printing import INDENT, columns, print_trimmed
from floodmark.report.step_rows import step_rows
from floodmark.report.threshold_rows import threshold_rows, threshold_title
from floodmark.report.words import as_sentence, count, kind_words, plural, printable, profile_words

BAR_CELLS = 36
LEFT_TO_THE_PAGE = ("75 %", "95 %")
"""Percentiles that 80 columns have no room for."""

ROOM_CELLS = {"99.9 %": 78, "mean": 70}
"""Columns that narrower terminals have no room for either: a figure that is broken over two lines cannot be read."""


class Bar:
    """A bar of `share` of its cells in one colour; plain characters where the console cannot encode blocks."""

    def __init__(self, share: float, colour: str) -> None:
        """`share` from 0 to 1; anything above 0 shows at least one cell."""
        self.cells = max(1, round(share * BAR_CELLS)) if share > 0 else 0
        self.colour = colour

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(("#" if options.ascii_only else "\N{FULL BLOCK}") * self.cells, style=self.colour, end="")

    def __rich_measure__(self, _console: Console, _options: ConsoleOptions) -> Measurement:
        return Measurement(self.cells, self.cells)


def print_verdict(judged: Judged, manifest: Manifest, console: Console, *, folder: str) -> None:
    """Prints the verdict: the sentence first, then tables, then where the run's folder is."""
    print_trimmed(console, lambda: _print_all(judged, manifest, console, folder))


def print_sentence(judged: Judged, manifest: Manifest, console: Console) -> None:
    """Prints the verdict's sentence on one line, and one per threshold that was missed; no more where all were met.

    Before it why the run does not count, where it does not.
    """
    shown = banner(judged, manifest)
    words = judged.document.verdict.sentence
    console.print(_text(f"{shown.title.upper()}. {words}" if shown else words), soft_wrap=True)
    for row in threshold_rows(judged.document):
        if not row.ok:
            console.print(_text(f"{row.mark} {row.threshold}: {row.words}"), soft_wrap=True)


def _print_all(judged: Judged, manifest: Manifest, console: Console, folder: str) -> None:
    document = judged.document
    _print_banner(judged, manifest, console)
    console.print(_text(document.verdict.sentence, "bold"))
    console.print(_text(as_sentence(profile_words(document.profile)), "dim"))
    if document.steps:
        _print_block(console, "The bursts of the search", _steps(document))
    console.print()
    console.print(Padding(_places(document), INDENT, expand=False))
    if len(document.verdict.lines) > 1:
        inner = any(not line.outer for line in document.verdict.lines)
        _print_block(console, "Lines, one behind the other" if inner else "Lines", _lines(document.verdict))
    if document.latency is not None:
        _print_block(console, latency_title(document), _latency(document, console.width))
    console.print()
    console.print(_facts(document))
    if document.thresholds:
        _print_block(console, threshold_title(document), _thresholds(document))
    if document.verdict.failures:
        _print_block(console, "Failures", _failures(document.verdict))
    if document.verdict.advice:
        _print_block(console, "Why, and what to change", _bullets(document.verdict.advice))
    _print_checks(document.validity, console)
    _print_folder(folder, console)


def _print_banner(judged: Judged, manifest: Manifest, console: Console) -> None:
    shown = banner(judged, manifest)
    if shown is None:
        return
    console.print(_text(f"{shown.title.upper()}.", "bold red"))
    for reason in shown.reasons:
        console.print(Padding(_text(reason, "red"), INDENT))
    console.print()


def _places(document: VerdictDocument) -> Table:
    table = columns("place", "at most>", "limit>", "")
    peaks = [document.verdict.in_service.peak, *(entry.peak or 0 for entry in document.verdict.waiting.values())]
    for row in place_rows(document):
        share = (row.peak_count or 0) / max(1, *peaks)
        table.add_row(row.words, row.peak, row.limit, Bar(share, row.colour), style="" if share else "dim")
    return table


def _lines(verdict: Judgement) -> Table:
    table = columns("", "address", "at most>", "limit>", "held by")
    for line in sorted(verdict.lines, key=lambda line: not line.outer):
        owners = _text(", ".join(line.owners))
        table.add_row(
            "outer" if line.outer else "inner", _text(line.address), count(line.depth_peak), count(line.limit), owners
        )
    return table


def _facts(document: VerdictDocument) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, words in (*fact_rows(document), ("Counted", agreement_words(document.verdict.in_service.estimates))):
        table.add_row(name, _text(words))
    return table


def _latency(document: VerdictDocument, cells: int) -> Table:
    left = {*LEFT_TO_THE_PAGE, *(name for name, room_cells in ROOM_CELLS.items() if cells < room_cells)}
    shown = [index for index, name in enumerate(PERCENTILE_COLUMNS) if name not in left]
    table = columns("", *(f"{PERCENTILE_COLUMNS[index]}>" for index in shown))
    for name, times in latency_rows(document):
        words = percentile_words(times)
        table.add_row(name.removeprefix("to the ").removesuffix(" alone"), *(words[index] for index in shown))
    return table


def _steps(document: VerdictDocument) -> Table:
    table = columns("requests>", "ceiling>", "at once>", "answered>", "", "folder")
    for row in step_rows(document):
        table.add_row(row.requests, row.ceiling, row.at_once, row.answered, row.result, _text(row.folder))
    return table


def _thresholds(document: VerdictDocument) -> Table:
    table = columns("", "threshold", "found")
    for row in threshold_rows(document):
        table.add_row(Text(row.mark, style="green" if row.ok else "bold red"), _text(row.threshold), _text(row.words))
    return table


def _failures(verdict: Judgement) -> Table:
    table = columns("", "requests>", "caused by", "for example")
    for failure in verdict.failures:
        table.add_row(_text(kind_words(failure.kind)), count(failure.count), failure.side, _text(failure.example))
    return table


def _bullets(sentences: Sequence[str]) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    for sentence in sentences:
        table.add_row("-", _text(sentence))
    return table


def _print_checks(validity: Validity, console: Console) -> None:
    """The passed checks on one line, the others with their words; the failed ones stand in the banner already."""
    console.print()
    for check in validity.checks:
        if check.ok is None:
            console.print(_text(f"Not checked: {check.name} ({check.words}).", "dim"))
    failed = [check.name for check in validity.checks if check.ok is False]
    passed = [check.name for check in validity.checks if check.ok]
    if failed:
        console.print(_text(f"{plural(len(failed), 'check')} failed, see the top: {', '.join(failed)}.", "bold red"))
    if passed:
        console.print(_text(f"{plural(len(passed), 'check')} passed: {', '.join(passed)}."))


def _print_folder(folder: str, console: Console) -> None:
    """The two paths, each whole on its own line: a path broken over lines cannot be copied."""
    console.print()
    report = str(PurePosixPath(folder) / REPORT)
    for name, path in (("Run folder", folder), ("Report    ", report)):
        line = Text.assemble((f"{name}  ", "dim"), printable(path))
        console.print(line, soft_wrap=True, highlight=False)


def _print_block(console: Console, title: str, table: Table) -> None:
    console.print()
    console.print(Text(title, style="bold"))
    console.print(Padding(table, INDENT, expand=False))


def _text(words: str, style: str = "") -> Text:
    """Text that cannot carry markup or escape codes from outside."""
    return Text(printable(words), style=style, overflow="fold")
