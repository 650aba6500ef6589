"""A suite's page as files: the Markdown, and beside it a folder with the bursts' pictures."""

from pathlib import Path

from floodmark.core.asked_file import write_file
from floodmark.core.errors import UsageError
from floodmark.core.run_folder import WATERLINE
from floodmark.core.suite import SuiteRecord, SuiteTable
from floodmark.report.suite.page import suite_page


def write_page(record: SuiteRecord, suite: Path, page: Path) -> None:
    """Writes the page, and its pictures into a folder of its name. Raises `UsageError` where that cannot be done."""
    pictures = _pictures(record, suite, page)
    write_file("--markdown", page, suite_page(record, pictures))


def _pictures(record: SuiteRecord, suite: Path, page: Path) -> dict[str, str]:
    """Copies the bursts' pictures into a folder beside the page; for each row's key where the page finds its own."""
    beside = page.with_suffix("")
    links = {}
    for row in record.rows:
        picture = suite / row.folder / WATERLINE
        if beside == page or row.table is not SuiteTable.CONCURRENCY or not (row.folder and picture.exists()):
            continue
        _make(beside)
        write_file("--markdown", beside / f"{row.target}.svg", picture.read_text(encoding="utf-8"))
        links[row.key] = f"{beside.name}/{row.target}.svg"
    return links


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"--markdown: {folder} for its pictures cannot be made: {error.strerror}") from None
