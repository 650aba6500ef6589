import dataclasses
import io
import json

import pytest
from judged_builder import manifest_for
from judged_cases import CASES, fastapi_sync, interrupted, invalid, with_failures
from rich.cells import cell_len
from rich.console import Console

from floodmark.analysis.document import Judged, VerdictDocument
from floodmark.analysis.steady.sentence import seconds_words
from floodmark.core.codec import from_plain
from floodmark.report.findings import place_rows
from floodmark.report.formats.verdict_json import to_json
from floodmark.report.measures import latency_rows
from floodmark.report.terminal import print_sentence, print_verdict


def printed(judged: Judged, *, folder: str = "runs/one", **console: object) -> str:
    file = io.StringIO()
    print_verdict(judged, manifest_for(judged), Console(file=file, **{"width": 80, **console}), folder=folder)  # type: ignore[arg-type]
    return file.getvalue()


def renamed(judged: Judged, sentence: str) -> Judged:
    verdict = dataclasses.replace(judged.document.verdict, sentence=sentence)
    return dataclasses.replace(judged, document=dataclasses.replace(judged.document, verdict=verdict))


@pytest.mark.parametrize("name", CASES)
def test_no_line_in_a_file_is_wider_than_80_columns_or_ends_in_spaces(name: str) -> None:
    for line in printed(CASES[name]()).splitlines():
        assert cell_len(line) <= 80
        assert line == line.rstrip()


@pytest.mark.parametrize("width", [60, 68, 76, 100, 200])
@pytest.mark.parametrize("name", CASES)
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_broken(name: str, width: int) -> None:
    judged = CASES[name]()
    text = printed(judged, width=width)
    assert max(map(cell_len, text.splitlines())) <= width
    rows = [f" {row.peak} " for row in place_rows(judged.document)]
    figures = [word for _, times in latency_rows(judged.document) for word in (times.p50_s, times.p99_s, times.max_s)]
    for figure in (*rows, *map(seconds_words, figures)):
        assert figure.strip() in text
    assert "first and" not in text or "first and last byte" in text


def test_a_quiet_verdict_is_one_line_and_says_first_why_it_does_not_count() -> None:
    file = io.StringIO()
    for judged in (fastapi_sync(), invalid(), interrupted()):
        print_sentence(judged, manifest_for(judged), Console(file=file, width=40))
    fine, bad, cut = file.getvalue().splitlines()
    assert fine == fastapi_sync().document.verdict.sentence
    assert bad == f"NOT VALID. {invalid().document.verdict.sentence}"
    assert cut.startswith("INTERRUPTED. flask-gunicorn-sync-4")


def test_a_file_gets_no_escape_code_and_a_terminal_gets_colour() -> None:
    assert "\x1b" not in printed(fastapi_sync())
    assert "\x1b[" in printed(fastapi_sync(), force_terminal=True)


def test_the_sentence_comes_first() -> None:
    judged = fastapi_sync()
    words = " ".join(printed(judged).split())
    assert words.startswith(judged.document.verdict.sentence)


def test_an_invalid_run_says_so_and_why_before_the_sentence() -> None:
    text = printed(invalid())
    assert text.startswith("NOT VALID.")
    assert text.index("812 ms") < text.index("handles 40 requests")
    assert "1 check failed, see the top: generator on time." in text


def test_an_interrupted_run_says_so_before_the_sentence() -> None:
    assert printed(interrupted()).startswith("INTERRUPTED.")


def test_an_escape_code_in_an_error_from_outside_is_written_out() -> None:
    text = printed(with_failures(), force_terminal=True, width=200)
    assert "\x1b[31mConnection" not in text
    assert "\\x1b[31mConnection" in text


def test_square_brackets_in_a_sentence_are_no_markup() -> None:
    assert "a [bold]server[/bold] on [::1]:80" in printed(renamed(fastapi_sync(), "a [bold]server[/bold] on [::1]:80"))


def test_a_long_folder_stays_on_one_line() -> None:
    folder = "runs/" + "long-" * 30
    assert any(line.endswith(f"{folder}/report.html") for line in printed(fastapi_sync(), folder=folder).splitlines())


def test_verdict_json_reads_back_as_the_same_document() -> None:
    document = with_failures().document
    text = to_json(document)
    assert text.endswith("}\n")
    assert from_plain(VerdictDocument, json.loads(text), "verdict.json") == document
