"""What a search says: of which burst its verdict is, and in which words."""

from dataclasses import replace

import pytest
from simulated import Server, Simulation

from floodmark.analysis.judge import judge
from floodmark.analysis.search import decisive, judge_search, judged_step
from floodmark.core.errors import RunFolderError
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import SearchProfile
from floodmark.core.run_folder import RunStatus, SearchStep


def searched(sizes, *, slots=40, most=10_000, change=lambda recording: recording, **manifest_changes):
    """A search through bursts of these sizes; `change` is done to the last recording."""
    steps, found = [], {}
    for index, requests in enumerate(sizes):
        recording = Simulation(server=Server(slots=slots, reused=slots is not None), requests=requests).record()
        found[index] = judge(change(recording) if index == len(sizes) - 1 else recording)
        step = SearchStep(folder=f"steps/{index}", requests=requests)
        steps.append(judged_step(step, found[index].document))
    index = decisive(steps, "runs/search")
    profile = SearchProfile(first=sizes[0], most=most, hold_s=5.0)
    manifest = replace(recording.manifest, profile=profile, fired_s=None, **manifest_changes)
    return judge_search(manifest, tuple(steps), found[index], index).document


def reset_some(recording):
    hits = tuple(
        replace(hit, outcome=Outcome.RESET, error="reset") if hit.id % 8 == 0 else hit for hit in recording.hits
    )
    return replace(recording, hits=hits)


def test_a_ceiling_is_told_first_with_the_burst_that_proved_it():
    document = searched([16, 64])
    assert document.verdict.sentence.startswith(
        "A search over bursts of 16 and 64 requests: the ceiling of 40 was proven with 64. simulated handles 40"
    )
    assert document.verdict.in_service.ceiling == 40
    assert [(step.requests, step.ceiling, step.peak, step.valid) for step in document.steps] == [
        (16, None, 16, True),
        (64, 40, 40, True),
    ]
    assert (document.profile.kind, document.profile.first, document.profile.requests) == ("search", 16, 10_000)
    assert document.validity.ok


def test_no_ceiling_up_to_the_largest_burst():
    sentence = searched([16, 64], slots=None, most=64).verdict.sentence
    assert sentence.startswith("A search over bursts of 16 and 64 requests: no ceiling up to 64. ")


def test_a_search_that_the_target_failed_says_where_it_ended():
    sentence = searched([16, 64], slots=None, change=reset_some).verdict.sentence
    assert "no ceiling up to 64, where 8 failed and the search ended." in sentence


def test_a_search_that_was_interrupted_says_so_and_is_not_valid():
    document = searched([16], status=RunStatus.INTERRUPTED)
    assert document.verdict.sentence.startswith(
        "A search over one burst of 16 requests: no ceiling up to 16, where the search ended. "
    )
    assert document.status == "interrupted"
    assert not document.validity.ok
    assert document.validity.checks[0].words == "the search is interrupted"


def test_a_step_that_does_not_count_proves_nothing():
    def lost(recording):
        return replace(recording, workers=())

    document = searched([16, 64], change=lost)
    assert "no ceiling up to 64, of which the last burst does not count." in document.verdict.sentence
    assert not document.validity.ok


def test_the_first_valid_step_with_a_ceiling_decides_else_the_last_that_was_judged():
    def step(requests, **changes):
        return SearchStep(folder="x", requests=requests, **{"judged": True, "valid": True, **changes})

    assert decisive([step(16), step(64, ceiling=40), step(256, ceiling=41)], "x") == 1
    assert decisive([step(16), step(64, ceiling=40, valid=False), step(256)], "x") == 2
    assert decisive([step(16), step(64, judged=False)], "x") == 0


def test_a_search_without_a_judged_step_has_no_verdict_and_says_what_to_do():
    with pytest.raises(RunFolderError, match="runs/x: the search ended before its first burst was judged; run it"):
        decisive([SearchStep(folder="steps/1", requests=16)], "runs/x")
    with pytest.raises(RunFolderError):
        decisive([], "runs/x")
