"""A run as asked for: which load it is, and what has to be measured before."""

from pathlib import Path

import pytest

from floodmark.campaign.plan import RunPlan, prove_limits
from floodmark.core.address import Address
from floodmark.core.asked import Asked
from floodmark.core.errors import LimitError, UsageError
from floodmark.core.request_spec import RequestSpec

HELD, STEADY = ("burst", "ramp", "search"), ("closed", "arrivals")


def plan_of(kind, path="/", source="", workers=1, **asked):
    return RunPlan(
        name="here",
        spec=None,
        address=Address(host="127.0.0.1", port=1),
        request=RequestSpec(path=path),
        kind=kind,
        asked=Asked(**asked),
        source=source,
        workers=workers,
        port=0,
        beat_s=0.05,
        folder=Path("run"),
        command=(),
    )


@pytest.mark.parametrize("kind", [*HELD, *STEADY])
def test_a_server_that_is_told_its_hold_needs_no_measuring(kind):
    told = plan_of(kind, path="/?hold={hold}")
    assert told.hold_known
    assert not told.measures_hold
    assert told.profile().hold_s == {"search": 2.0, "closed": 0.1, "arrivals": 0.1}.get(kind, 5.0)


@pytest.mark.parametrize("kind", HELD)
def test_a_hold_nobody_said_is_measured_for_a_load_that_waits_for_it(kind):
    plan = plan_of(kind)
    assert plan.measures_hold
    assert plan.profile(0.25).hold_s == 0.25
    assert plan_of(kind, hold_s=3.0).profile().hold_s == 3.0
    assert not plan_of(kind, hold_s=3.0).measures_hold


@pytest.mark.parametrize("kind", STEADY)
def test_a_steady_load_takes_a_server_as_it_is(kind):
    plan = plan_of(kind)
    assert (plan.measures_hold, plan.hold_known, plan.profile().hold_s) == (False, False, 0.0)
    assert plan_of(kind, timeout_s=0.05).profile().timeout_s == 0.05


@pytest.mark.parametrize("timeout_s", [0.8, 3.0])
def test_what_stands_in_for_a_hold_that_is_not_known_fits_every_time_limit(timeout_s):
    assert plan_of("burst", timeout_s=timeout_s).profile().hold_s < timeout_s


@pytest.mark.parametrize(
    ("kind", "asked", "words"),
    [
        ("burst", {"timeout_s": 0.0}, "--timeout 0: give seconds above 0"),
        ("burst", {"rate": 5.0}, "--rate: the burst profile has none; it has --requests, --within"),
        ("search", {"within_s": 5.0}, "--within: the search profile has none"),
        ("closed", {"requests": 5}, "--requests: the closed profile has none"),
        ("wrk", {}, "--profile 'wrk': there are burst, ramp, closed, arrivals, search"),
    ],
)
def test_an_option_that_does_not_fit_is_named(kind, asked, words):
    with pytest.raises(UsageError) as caught:
        plan_of(kind, **asked).profile()
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("closed", {"connections": 900_000}),
        ("search", {"requests": 900_000}),
        ("arrivals", {"rate": 900_000.0, "connections": 900_000}),
    ],
)
def test_limits_are_held_against_the_most_connections_there_can_be(kind, asked):
    with pytest.raises(LimitError, match="900,000 connections at once from 1 worker need open files of a worker"):
        prove_limits(plan_of(kind, **asked))


def test_a_rate_with_few_connections_needs_few():
    prove_limits(plan_of("arrivals", rate=100_000.0, connections=10))


def test_each_worker_that_has_requests_to_send_needs_a_connection():
    with pytest.raises(UsageError, match=r"--connections 2: 3 workers send, .* give 3 or more, or take fewer workers"):
        prove_limits(plan_of("arrivals", rate=100.0, connections=2, workers=3))
    prove_limits(plan_of("arrivals", rate=100.0, connections=3, workers=3))
    prove_limits(plan_of("arrivals", rate=2.0, duration_s=1.0, timeout_s=1.0, connections=2, workers=3))
    prove_limits(plan_of("closed", connections=2, workers=3))  # a worker without any sends nothing
