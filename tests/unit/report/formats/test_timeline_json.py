"""timeline.json: the curves of a judged run, bounded, and the same numbers as the verdict's timeline."""

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from simulated import Server, Simulation
from simulated_steady import SteadySimulation

from floodmark.analysis.document import SecondPoint
from floodmark.analysis.judge import judge
from floodmark.core.codec import from_plain
from floodmark.core.curves import MOST_INTERVALS, MOST_POINTS, Curves
from floodmark.core.places import Place
from floodmark.core.profile import ClosedProfile
from floodmark.report.formats.timeline_json import curves_of, to_timeline_json
from floodmark.report.pictures.colours import ESTIMATE, FILL

WEB = Path(__file__).parents[4] / "src/floodmark/load/web/static"
MOST_BYTES = 120_000


@pytest.fixture(scope="module")
def burst():
    recording = Simulation(server=Server(slots=40), requests=400).record()
    return judge(recording), recording


def test_a_bursts_curves_have_the_timelines_own_peaks_and_totals(burst):
    judged, recording = burst
    curves = curves_of(judged, recording)
    assert curves.ceiling == judged.document.verdict.in_service.ceiling == 40
    for place in Place:
        assert max(curves.places.places[place]) == max(judged.timeline.places[place])
    assert curves.places.answered[-1] == judged.timeline.answered[-1] == judged.document.outcomes["answered"]
    assert max(value for value in curves.rates.max_s if value) == pytest.approx(judged.document.latency.max_s, rel=0.01)
    total = sum(rate * curves.rates.width_s for rate in curves.rates.answered_per_s[:-1])
    assert 40 <= total <= judged.document.outcomes["answered"]
    assert curves.places.overflows[0] == 0


def test_it_can_be_read_back(burst):
    judged, recording = burst
    assert from_plain(Curves, json.loads(to_timeline_json(judged, recording)), "here") == curves_of(judged, recording)


def test_an_hour_is_as_many_points_as_a_minute(burst):
    judged, recording = burst
    many = 36_000
    timeline = replace(
        judged.timeline,
        times_s=tuple(index / 10 for index in range(many)),
        places=dict.fromkeys(Place, (7,) * many),
        **{
            name: tuple(range(many))
            for name in ("answered", "failed", "unsent", "processes", "threads", "open_files", "rss_bytes")
        },
    )
    text = to_timeline_json(replace(judged, timeline=timeline), recording)
    curves = json.loads(text)
    assert len(curves["places"]["times_s"]) <= MOST_POINTS
    assert len(curves["rates"]["times_s"]) <= MOST_INTERVALS
    assert curves["places"]["answered"][-1] == many - 1
    assert len(text) < MOST_BYTES


def test_a_steady_loads_rates_are_those_of_its_seconds_and_bounded():
    profile = ClosedProfile(connections=100, duration_s=3.0, timeout_s=2.0, hold_s=0.1)
    recording = SteadySimulation(profile=profile, slots=40, service_s=0.1, workers=2).record()
    judged = judge(recording)
    curves = curves_of(judged, recording)
    assert curves.rates.answered_per_s[0] == judged.seconds[0].answered
    assert curves.rates.p99_s[0] == judged.seconds[0].p99_s
    hour = tuple(replace(judged.seconds[0], second=second) for second in range(3_600))
    rates = curves_of(replace(judged, seconds=hour), recording).rates
    assert len(rates.times_s) <= MOST_INTERVALS
    assert rates.answered_per_s[0] == pytest.approx(judged.seconds[0].answered, rel=0.01)
    assert isinstance(hour[0], SecondPoint)


def test_where_nothing_was_measured_any_more_the_load_goes_on_and_its_places_are_not_known():
    profile = ClosedProfile(connections=100, duration_s=6.0, timeout_s=2.0, hold_s=0.1)
    recording = SteadySimulation(profile=profile, slots=40, service_s=0.1, workers=2).record()
    first_s = recording.samples[0].socket_s
    kept = tuple(sample for sample in recording.samples if not 2 < sample.socket_s - first_s < 4)
    whole = curves_of(judge(recording), recording)
    curves = curves_of(*judged_of(replace(recording, samples=kept)))
    assert curves.end_s == whole.end_s
    ((gap_s, until_s),) = gaps_of(curves)
    assert until_s - gap_s == pytest.approx(1.5, abs=0.2)
    lost = tuple(sample for sample in recording.samples if sample.socket_s - first_s < 3)
    curves = curves_of(*judged_of(replace(recording, samples=lost)))
    assert curves.end_s == whole.end_s >= 6
    assert len(curves.rates.times_s) == len(whole.rates.times_s) >= 6
    assert {values[-1] for values in curves.places.places.values()} == {None}
    assert curves.places.times_s[-1] == pytest.approx(3.5, abs=0.3)


def judged_of(recording):
    return judge(recording), recording


def gaps_of(curves):
    """From when until when no place is known."""
    times_s = [*curves.places.times_s, curves.end_s]
    rows = zip(*curves.places.places.values(), strict=True)
    return [pair for pair, row in zip(pairwise(times_s), rows, strict=True) if set(row) == {None}]


def test_the_pages_colours_are_the_pictures():
    css = (WEB / "floodmark.css").read_text()
    found = dict(re.findall(r"--place-([a-z-]+): (#[0-9a-f]{6});", css))
    wanted = {place.value.replace("_", "-"): colour for place, colour in FILL.items()}
    assert found == wanted | {"with-server": ESTIMATE.light}
    words = re.findall(r'^  \["([a-z_]+)", "([a-z ]+)"', (WEB / "draw.js").read_text(), re.MULTILINE)
    assert dict(words) == {place.value: place.words for place in Place} | {"with_server": "with the server"}


def test_the_page_fetches_nothing_from_elsewhere():
    for file in WEB.iterdir():
        assert (
            re.findall(
                r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", re.sub(r"^\s*//.*$", "", file.read_text(), flags=re.MULTILINE)
            )
            == []
        )
