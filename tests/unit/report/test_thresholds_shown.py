"""What a run was to meet: the terminal's list, the banner of a load that was ended by it, and the exit code."""

import io
from dataclasses import replace

import pytest
from judged_builder import manifest_for
from judged_cases import CASES
from rich.console import Console

from floodmark.analysis.document import Check, Judged, Validity
from floodmark.analysis.thresholds import with_thresholds
from floodmark.core.run_folder import Manifest, RunStatus
from floodmark.report.exit_code import exit_code_of
from floodmark.report.terminal import print_sentence, print_verdict

MET, MISSED = "target.in_service.ceiling >= 40", "target.accept_queue.max < 0"


def judged(*texts: str, valid: bool = True) -> Judged:
    found = CASES["fastapi-uvicorn-sync"]()
    check = Check(name="clocks aligned", ok=valid, words="")
    document = replace(found.document, validity=Validity(ok=valid, checks=(check,)))
    return with_thresholds(replace(found, document=document), texts)


def printed(found: Judged, manifest: Manifest, **console: object) -> str:
    file = io.StringIO()
    print_verdict(found, manifest, Console(file=file, **{"width": 100, **console}), folder="runs/one")  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize(
    ("texts", "valid", "status", "missed_live", "code"),
    [
        ((), True, RunStatus.COMPLETE, (), 0),
        ((MET,), True, RunStatus.COMPLETE, (), 0),
        ((MET, MISSED), True, RunStatus.COMPLETE, (), 99),
        ((MISSED,), False, RunStatus.COMPLETE, (), 3),
        ((MET,), False, RunStatus.COMPLETE, (), 3),
        ((MET,), True, RunStatus.FAILED, (), 3),
        ((MET,), True, RunStatus.RUNNING, (), 3),
        ((MISSED,), False, RunStatus.INTERRUPTED, (), 130),
        ((MISSED,), False, RunStatus.INTERRUPTED, (MISSED,), 99),
    ],
)
def test_a_run_that_does_not_count_neither_meets_nor_misses_unless_a_threshold_ended_it(
    texts: tuple[str, ...],
    valid: bool,  # noqa: FBT001 - a row of the table above
    status: RunStatus,
    missed_live: tuple[str, ...],
    code: int,
) -> None:
    found = judged(*texts, valid=valid)
    manifest = manifest_for(found, status=status, missed_live=missed_live)
    assert exit_code_of(found.document, manifest) == code


def test_a_quiet_verdict_has_a_line_for_each_threshold_that_was_missed() -> None:
    found, file = judged(MET, MISSED), io.StringIO()
    print_sentence(found, manifest_for(found), Console(file=file, width=40))
    sentence, missed = file.getvalue().splitlines()
    assert sentence == found.document.verdict.sentence
    assert missed == f"MISSED {MISSED}: {found.document.thresholds[1].words}"


def test_each_threshold_is_a_line_with_its_mark_and_its_value() -> None:
    found = judged(MET, MISSED)
    lines = [line.strip() for line in printed(found, manifest_for(found)).splitlines()]
    assert "What the run was to meet: 1 of 2 met" in lines
    assert any(line.split() == f"met {MET} 40 requests, as wanted >= 40 requests".split() for line in lines)
    assert any(line.startswith("MISSED") and "and not < 0 requests" in line for line in lines)


def test_a_run_that_was_to_meet_nothing_says_nothing_of_it() -> None:
    found = judged()
    assert "to meet" not in printed(found, manifest_for(found))


def test_a_run_that_does_not_count_says_that_its_thresholds_do_not() -> None:
    found = judged(MET, valid=False)
    assert "What the run was to meet: 1 of 1 met, in a run that does not count" in printed(found, manifest_for(found))


def test_a_load_that_was_ended_by_a_threshold_says_so_first() -> None:
    found = with_thresholds(judged(valid=False), [MISSED], missed_live=[MISSED])
    found = replace(found, document=replace(found.document, status="interrupted"))
    text = printed(found, manifest_for(found, missed_live=(MISSED,)))
    assert text.startswith("THRESHOLD MISSED. NOT VALID.")
    assert "ended by hand" not in text
    assert "0 of 1 met; a missed one ended the load" in text
