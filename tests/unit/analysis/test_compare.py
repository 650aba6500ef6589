"""Runs side by side: what one run a side is enough for, what takes repeats, and what is not to be compared at all."""

import dataclasses

import pytest
from simulated import Server, Simulation

from floodmark.analysis.compare.conditions import ComparedRun, short_values
from floodmark.analysis.compare.document import Basis, Change
from floodmark.analysis.compare.exact import _apart
from floodmark.analysis.compare.quantities import EXACT, PROVEN, TESTED, AtOnce, value_words
from floodmark.analysis.compare.runs import compare, judged_sides
from floodmark.analysis.document import Check, Judged, Validity
from floodmark.analysis.judge import judge
from floodmark.analysis.metrics import CATALOGUE
from floodmark.core.command_line import CommandLine
from floodmark.core.errors import UsageError
from floodmark.core.profile import BurstProfile
from floodmark.core.run_folder import Manifest
from floodmark.core.sample import TargetLimits

VERDICTS = {}


def judged(**server) -> tuple[Manifest, Judged]:
    key = tuple(sorted(server.items()))
    if key not in VERDICTS:
        recording = Simulation(server=Server(**server), requests=200, hold_s=1.0).record()
        VERDICTS[key] = (recording.manifest, judge(recording))
    return VERDICTS[key]


def a_run(  # noqa: PLR0913 - what a test varies
    name, *, settings=None, median_s=1.0, manifest=None, valid=True, at="00:00", **server
):
    """A run of a simulated server; `median_s` is the median of its answers' times, as another run would have it."""
    kept, found = judged(**{"slots": 40, **server})
    document = found.document
    latency = document.latency
    assert latency is not None
    document = dataclasses.replace(
        document,
        latency=dataclasses.replace(latency, p50_s=median_s, p95_s=2 * median_s, p99_s=3 * median_s),
        validity=document.validity
        if valid
        else Validity(ok=False, checks=(Check(name="released on time", ok=False, words="99 % late"),)),
    )
    kept = dataclasses.replace(
        kept,
        settings=settings or {"command": "serve --threads 40"},
        started_utc=f"2026-01-01T{at}:00+00:00",
        **(manifest or {}),
    )
    return ComparedRun(name=name, folder=name, manifest=kept, judged=dataclasses.replace(found, document=document))


def row(document, name):
    return next(one for one in document.comparisons[0].quantities if one.name == name)


def repeats(letter, medians, **more):
    return [
        a_run(f"{letter}{index}", median_s=median_s, at=f"0{index}:{'30' if letter == 'b' else '00'}", **more)
        for index, median_s in enumerate(medians)
    ]


NOISE = (1.00, 1.03, 0.98, 1.01, 0.99)
TEN = {"settings": {"command": "serve --threads 10"}}


def test_a_proven_ceiling_that_is_another_changed_with_one_run_a_side():
    found = compare([a_run("one"), a_run("two", slots=10, **TEN)])
    at_once = row(found, "target.in_service.ceiling")
    assert (found.change, at_once.change, at_once.basis) == (Change.CHANGED, Change.CHANGED, Basis.EXACT)
    assert (at_once.before, at_once.after) == ((40.0,), (10.0,))
    assert "at once 40 to 10" in found.sentence
    assert [side.words for side in found.sides] == ["--threads 40", "--threads 10"]


def test_times_of_one_run_a_side_cannot_be_told_however_far_they_are_apart():
    found = compare([a_run("one"), a_run("two", median_s=50.0)])
    latency = row(found, "http_req_duration.med")
    assert (found.change, latency.change, latency.p) == (Change.UNTOLD, Change.UNTOLD, None)
    assert latency.words.startswith("+49 s (+4,900 %)")
    assert found.comparisons[0].needed == 4
    assert "with 4 on each side" in found.sentence


def test_five_repeats_of_the_same_show_no_difference():
    found = compare(repeats("a", NOISE))
    assert found.change is Change.NONE_SHOWN
    assert found.sentence == (
        "No difference shown: 5 runs of one setting. The same in all: at once 40, run by thread (reused) and accept"
        " queue limit 2,048."
    )
    assert len(found.sides) == 1


def test_five_against_five_of_the_same_show_no_difference_and_say_how_much_may_hide():
    found = compare([*repeats("a", NOISE), *repeats("b", NOISE)], [repeats("a", NOISE), repeats("b", NOISE)])
    latency = row(found, "http_req_duration.med")
    assert (found.change, latency.change, latency.basis) == (Change.NONE_SHOWN, Change.NONE_SHOWN, Basis.TEST)
    assert (latency.low, latency.high) == (pytest.approx(-0.03), pytest.approx(0.03))
    assert "Nothing that is known of the target differs" in " ".join(found.notes)


def test_times_that_are_apart_by_more_than_runs_differ_changed():
    slower = [1.3 * time_s for time_s in NOISE]
    found = compare([*repeats("a", NOISE), *repeats("b", slower, settings={"command": "serve --slow"})])
    latency = row(found, "http_req_duration.med")
    assert (found.change, latency.change) == (Change.CHANGED, Change.CHANGED)
    assert latency.p <= 0.05
    assert latency.words.startswith("+300 ms (+30 %), +264 ms to +339 ms")
    assert row(found, "target.in_service.ceiling").change is Change.NONE_SHOWN
    assert found.notes == ()


def test_a_difference_that_is_certain_and_too_small_to_matter_is_none():
    a, b = (1.000, 1.001, 1.0002, 1.0005, 1.0007), (1.02, 1.021, 1.0202, 1.0205, 1.0207)
    found = compare([*repeats("a", a), *repeats("b", b, settings={"command": "serve --slow"})])
    assert row(found, "http_req_duration.med").words == "+20 ms (+2 %), too little to matter"
    assert found.change is Change.NONE_SHOWN
    fine = compare([*repeats("a", a), *repeats("b", b, settings={"command": "serve --slow"})], least_share=0.01)
    assert fine.change is Change.CHANGED


def test_what_a_test_finds_is_no_change_where_the_range_beside_it_has_none_in_it():
    a, b = (1.01, 1.02, 1.13, 1.15, 1.42), (1.27, 1.37, 1.42, 1.54, 1.55)
    found = compare([*repeats("a", a), *repeats("b", b, settings={"command": "serve --slow"})])
    latency = row(found, "http_req_duration.med")
    assert latency.p <= 0.05
    assert latency.low == 0
    assert (latency.change, latency.words) == (Change.NONE_SHOWN, "0 ms to +530 ms")


def test_a_share_is_of_the_middle_that_the_table_shows():
    a, b = (1.0, 1.1, 1.3, 1.4), (2.0, 2.1, 2.3, 2.4)
    found = compare([*repeats("a", a), *repeats("b", b, settings={"command": "serve --slow"})])
    assert row(found, "http_req_duration.med").words.startswith("+1 s (+83 %)")


def test_a_figure_that_rises_from_run_to_run_is_told():
    found = compare(repeats("a", (1.0, 1.1, 1.2, 1.3, 1.4)))
    assert found.change is Change.NONE_SHOWN
    assert "something drifts: answer: half within" in found.notes[0]
    assert "drifting from run to run" in row(found, "http_req_duration.med").words


def test_repeats_whose_ceilings_are_not_the_same_are_not_alike():
    found = compare([*repeats("a", NOISE[:4]), a_run("odd", slots=10)])
    assert found.change is Change.CHANGED
    assert "not the same number in all runs: 40, 10" in row(found, "target.in_service.ceiling").words.replace(
        "40, 40, 40, 40, 10", "40, 10"
    )


def test_more_at_once_than_the_others_proven_ceiling_changed_though_none_was_proven():
    found = compare([a_run("one"), a_run("two", slots=None, settings={"command": "serve --async"})])
    at_once = row(found, "target.in_service.ceiling")
    assert (at_once.change, at_once.after) == (Change.CHANGED, (">= 200",))


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ((40, 40, True), (40, 40, True), False),
        ((40, 40, True), (39, 39, True), True),
        ((40, 40, True), (39, 39, False), False),
        ((40, 40, True), (41, None, True), True),
        ((40, 40, True), (40, None, True), None),
        ((40, 40, True), (30, None, True), None),
        ((40, 40, False), (42, None, True), None),
        ((40, 40, False), (60, None, True), True),
        ((200, None, True), (100, None, True), None),
    ],
)
def test_two_runs_are_apart_only_where_they_cannot_be_the_same_number(one, other, apart):
    first, second = (AtOnce(least=least, most=most, counted=counted) for least, most, counted in (one, other))
    assert _apart(first, second) is apart
    assert _apart(second, first) is apart


def test_without_handler_times_a_ceiling_one_more_is_within_what_it_is_right_to():
    found = compare([a_run("one", slots=4, evidence=False), a_run("two", slots=5, evidence=False, **TEN)])
    assert row(found, "target.in_service.ceiling").change is Change.NONE_SHOWN
    exact = compare([a_run("one", slots=4), a_run("two", slots=5, **TEN)])
    assert row(exact, "target.in_service.ceiling").change is Change.CHANGED


def test_another_backlog_is_the_kernels_own_number():
    found = compare([a_run("one"), a_run("two", backlog=64, settings={"command": "serve --backlog 64"})])
    limit = row(found, "target.accept_queue.limit")
    assert (limit.change, limit.basis, limit.words) == (Change.CHANGED, Basis.EXACT, "in every run")


@pytest.mark.parametrize(
    ("changed", "name", "words"),
    [
        ({"profile": BurstProfile(requests=200, within_s=0, hold_s=2)}, "load", "hold 1"),
        ({"workers": 2}, "workers", "1 (one) against 2 (two)"),
        ({"host": {"kernel": "Linux 6.1"}}, "host", "Linux 6.1"),
        ({"versions": {"locust": "2.99"}}, "generator", "locust 2.99"),
        ({"agent": "vm"}, "agent", "every 0.05 s"),
        ({"sources": ("127.0.0.2",)}, "source", "127.0.0.2"),
    ],
)
def test_runs_under_other_conditions_are_refused_unless_the_condition_is_named(changed, name, words):
    runs = [a_run("one"), a_run("two", manifest=changed)]
    with pytest.raises(UsageError) as refused:
        compare(runs)
    assert words in str(refused.value)
    assert f"--despite {name} compares them all the same" in str(refused.value)
    found = compare(runs, despite=[name])
    assert [row.name for row in found.conditions] == [name]


def test_a_hold_that_was_measured_is_no_condition():
    other = {"hold_known": False, "profile": BurstProfile(requests=200, within_s=0, hold_s=1.01)}
    own = {"hold_known": False}
    assert compare([a_run("one", manifest=own), a_run("two", manifest=other)]).conditions == ()


def test_a_run_that_does_not_count_is_refused_or_marked():
    runs = [a_run("one"), a_run("two", valid=False)]
    with pytest.raises(UsageError, match="two: not valid: released on time: 99 % late; leave it out"):
        compare(runs)
    found = compare(runs, despite=["validity"])
    assert found.sides[1].runs[0].invalid == ("released on time",)
    assert "Runs that failed a check" in " ".join(found.notes)


def test_runs_of_other_settings_are_no_repeats_of_each_other():
    sides = [[a_run("one"), a_run("two", **TEN)], [a_run("three"), a_run("four")]]
    runs = [run for side in sides for run in side]
    with pytest.raises(UsageError, match=r"command differs: serve --threads 40 .one. against serve --threads 10 .two."):
        compare(runs, sides)
    assert compare(runs, sides, despite=["mix"]).sides[0].words == "serve --threads 40 or serve --threads 10"


def test_runs_are_grouped_by_what_the_target_was():
    runs = [a_run("one"), a_run("two", **TEN), a_run("three"), a_run("four", **TEN), a_run("five", slots=40)]
    found = compare(runs)
    assert [[run.name for run in side.runs] for side in found.sides] == [["five", "one", "three"], ["four", "two"]]
    assert judged_sides(found, runs)[1] == [runs[3].judged, runs[1].judged]


def test_several_sides_are_each_held_against_the_first():
    runs = [a_run("one"), a_run("two", slots=10, **TEN), a_run("three", settings={"command": "serve --threads 41"})]
    found = compare(runs)
    assert [(one.against, one.side, one.change) for one in found.comparisons] == [
        ("A", "B", Change.CHANGED),
        ("A", "C", Change.UNTOLD),
    ]
    assert found.sentence == "B: changed against A; C: cannot be told from A."


def test_all_runs_of_one_side_before_the_others_are_noted():
    late = [
        dataclasses.replace(run, manifest=dataclasses.replace(run.manifest, started_utc=f"2026-01-02T0{i}:00"))
        for i, run in enumerate(repeats("b", NOISE, **TEN))
    ]
    assert "Runs that take turns" in " ".join(compare([*repeats("a", NOISE), *late]).notes)


@pytest.mark.parametrize("runs", [0, 1])
def test_less_than_two_runs_are_nothing_to_compare(runs):
    with pytest.raises(UsageError, match="nothing to compare"):
        compare([a_run(str(index)) for index in range(runs)])


def test_a_run_is_no_repeat_of_itself():
    with pytest.raises(UsageError, match="given twice"):
        compare([a_run("one"), a_run("one")])


def test_a_condition_that_there_is_not_is_refused():
    with pytest.raises(UsageError, match="--despite 'wether': there are load, request"):
        compare([a_run("one"), a_run("two")], despite=["wether"])


def test_a_server_that_ran_already_is_told_by_its_command_line_without_its_port():
    limits = TargetLimits(
        pid=7,
        open_files=1024,
        processes=None,
        somaxconn=4096,
        tcp_max_syn_backlog=1,
        tcp_syncookies=1,
        tcp_abort_on_overflow=0,
        pids_max=None,
    )

    def run(name, port, words):
        lines = (CommandLine(words="other", pids=(9,)), CommandLine(words=words.format(port=port), pids=(7,)))
        changed = {"commands": lines, "limits": limits, "url": f"http://127.0.0.1:{port}/", "settings": {}}
        one = a_run(name)
        return dataclasses.replace(one, manifest=dataclasses.replace(one.manifest, **changed))

    same = compare([run("one", 8000, "serve --bind :{port}"), run("two", 9123, "serve --bind :{port}")])
    assert same.knobs == ()
    other = compare([run("one", 8000, "serve --bind :{port}"), run("two", 9123, "serve -w 2 --bind :{port}")])
    assert [(knob.name, knob.values) for knob in other.knobs] == [
        ("command", ("serve --bind :PORT", "serve -w 2 --bind :PORT"))
    ]


@pytest.mark.parametrize(
    ("values", "short"),
    [
        (("gunicorn -w 4 -b x", "gunicorn -w 8 -b x"), ("-w 4", "-w 8")),
        (("4", "8"), ("4", "8")),
        (("serve", "serve --fast"), ("without", "--fast")),
        (("not set", "10"), ("not set", "10")),
    ],
)
def test_of_long_values_the_difference_is_what_names_a_side(values, short):
    assert short_values(values) == short


def test_every_quantity_is_in_the_catalogue_and_has_a_label_of_its_own():
    quantities = [*EXACT, *PROVEN, *TESTED]
    assert [one.metric for one in quantities if one.metric not in CATALOGUE] == []
    assert len({one.label for one in quantities}) == len(quantities)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(0.0123, "s", "12.3 ms"), (-1.5, "s", "-1.5 s"), (2.5e6, "bytes", "2.5 MB"), (1000.0, "requests", "1,000")],
)
def test_values_have_their_units(value, unit, words):
    assert value_words(value, unit) == words
