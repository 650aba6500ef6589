"""Recorded runs of a real server compared: twelve repeats, and six with another number of threads."""

import itertools
import json
import random
from pathlib import Path

import pytest
from no_timeline import NO_TIMELINE

from floodmark.analysis.compare.conditions import ComparedRun
from floodmark.analysis.compare.document import Change
from floodmark.analysis.compare.quantities import TESTED, values_of
from floodmark.analysis.compare.runs import compare
from floodmark.analysis.compare.statistics import ALPHA, joint_p
from floodmark.analysis.document import Judged, VerdictDocument
from floodmark.core.codec import from_plain
from floodmark.core.run_folder import Manifest

FOLDER = Path(__file__).parents[2] / "fixtures" / "compare"


def recorded(name):
    lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [_run(json.loads(line)) for line in lines]


def _run(kept):
    document = from_plain(VerdictDocument, kept["document"], kept["name"])
    manifest = from_plain(Manifest, kept["manifest"], kept["name"])
    judged = Judged(document=document, timeline=NO_TIMELINE)
    return ComparedRun(name=kept["name"], folder=kept["name"], manifest=manifest, judged=judged)


@pytest.fixture(scope="module")
def forty():
    return recorded("repeats")


@pytest.fixture(scope="module")
def ten():
    return recorded("knob")


def test_all_of_them_count(forty, ten):
    assert all(run.judged.document.validity.ok for run in (*forty, *ten))
    assert (len(forty), len(ten)) == (12, 6)


def test_one_run_a_side_with_the_knob_turned_has_changed(forty, ten):
    found = compare([forty[0], ten[0]])
    assert found.change is Change.CHANGED
    assert found.sides[1].words == "env ZOO_THREAD_TOKENS 10"
    assert "at once 40 to 10" in found.sentence


def test_six_a_side_with_the_knob_turned_differ_in_more_than_the_ceiling(forty, ten):
    found = compare([*forty[1::2], *ten])
    changed = {row.name for row in found.comparisons[0].quantities if row.change is Change.CHANGED}
    assert {"target.in_service.ceiling", "target.per_process", "requests.answered"} <= changed
    assert found.notes == ()


def test_every_five_that_come_one_after_the_other_show_no_difference(forty):
    for first in range(8):
        assert compare(forty[first : first + 5]).change is Change.NONE_SHOWN


def test_one_in_twenty_ways_to_part_the_repeats_looks_like_a_change_at_the_most(forty):
    tables = [values_of(run.judged.document) for run in forty[:10]]
    rows = [[table[one.metric] for table in tables] for one in TESTED]
    rows = [row for row in rows if None not in row and len(set(row)) > 1]
    assert len(rows) >= 8
    # The other half has the same runs on the other side each.
    ways = [(0, *others) for others in itertools.combinations(range(1, 10), 4)]
    wrong = 0
    for way in ways:
        others = [index for index in range(10) if index not in way]
        found = joint_p(
            [[row[index] for index in way] for row in rows], [[row[index] for index in others] for row in rows]
        )
        wrong += min(found) <= ALPHA
    assert len(ways) == 126
    assert 0 < wrong <= ALPHA * len(ways)


def test_repeats_put_on_two_sides_by_chance_show_no_difference_nearly_always(forty):
    chance = random.Random(17)  # noqa: S311 - a choice of runs
    changed = 0
    for _ in range(40):
        chosen = chance.sample(forty, 10)
        changed += compare(chosen, [chosen[:5], chosen[5:]]).change is Change.CHANGED
    assert changed <= 6
