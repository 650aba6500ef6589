"""What a user asked of a load, and the five kinds of profile that this makes."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.asked import DEFAULTS, FLAGS, Asked, profile_of
from floodmark.core.codec import from_plain, to_plain
from floodmark.core.errors import UsageError, WireError
from floodmark.core.messages import LoadOrder
from floodmark.core.profile import PROFILE_KINDS, ArrivalsProfile, BurstProfile, ClosedProfile, SearchProfile

ORDER = {"worker": "w1", "address": {"host": "h", "port": 80}, "request": {}, "first_id": 1, "step": 1}


@pytest.mark.parametrize("kind", PROFILE_KINDS)
def test_every_kind_has_defaults_and_says_its_kind(kind):
    assert profile_of(kind, Asked()).kind == kind


def test_the_flags_are_those_of_the_defaults_and_the_record():
    assert set(FLAGS) == set().union(*DEFAULTS.values()) == set(Asked.__dataclass_fields__)


@pytest.mark.parametrize(
    ("kind", "asked", "profile"),
    [
        ("burst", Asked(requests=9), BurstProfile(requests=9, within_s=0.0, hold_s=5.0)),
        ("burst", Asked(within_s=2), BurstProfile(requests=1_000, within_s=2, hold_s=5.0)),
        ("ramp", Asked(hold_s=1), BurstProfile(kind="ramp", requests=1_000, within_s=30.0, hold_s=1)),
        ("closed", Asked(connections=7), ClosedProfile(connections=7, duration_s=10.0, hold_s=0.1, timeout_s=2.0)),
        (
            "arrivals",
            Asked(rate=5.0, duration_s=2),
            ArrivalsProfile(rate=5.0, duration_s=2, hold_s=0.1, timeout_s=10.0, connections=10_000),
        ),
        ("search", Asked(requests=50, first=3), SearchProfile(first=3, most=50, hold_s=2.0)),
    ],
)
def test_what_was_asked_goes_before_the_default(kind, asked, profile):
    assert profile_of(kind, asked) == profile


@pytest.mark.parametrize(
    ("kind", "asked", "words"),
    [
        ("flood", Asked(), "--profile 'flood': there are burst, ramp, closed, arrivals, search"),
        ("burst", Asked(rate=1.0), "--rate: the burst profile has none; it has --requests"),
        ("closed", Asked(requests=1), "--requests: the closed profile has none"),
        ("search", Asked(within_s=0.0), "--within: the search profile has none"),
        ("ramp", Asked(within_s=0.0), "--within 0: a ramp takes some time"),
        ("closed", Asked(connections=0), "--connections 0"),
        ("closed", Asked(duration_s=0.5), "--duration 0.5"),
        ("closed", Asked(hold_s=2.0), "--hold 2 is not shorter than --timeout 2"),
        ("closed", Asked(hold_s=-1.0), "--hold -1"),
        ("arrivals", Asked(rate=0.0), "--rate 0"),
        ("arrivals", Asked(rate=float("nan")), "--rate nan"),
        ("arrivals", Asked(rate=0.01), "--rate 0.01 for --duration 10: that is 0 requests"),
        ("arrivals", Asked(rate=1e6, duration_s=86_400), "requests"),
        ("arrivals", Asked(connections=0), "--connections 0"),
        ("search", Asked(first=20, requests=10), "--first 20 is more than --requests 10"),
        ("search", Asked(first=0), "--first 0"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_option(kind, asked, words):
    with pytest.raises(UsageError) as caught:
        profile_of(kind, asked)
    assert words in str(caught.value)


@given(st.integers(1, 5_000), st.integers(0, 200_000))
def test_a_search_grows_from_the_first_burst_to_the_largest(first, more):
    bursts = SearchProfile(first=first, most=first + more, hold_s=1.0).bursts
    sizes = [burst.requests for burst in bursts]
    assert (sizes[0], sizes[-1]) == (first, first + more)
    assert all(smaller < larger <= 4 * smaller for smaller, larger in pairwise(sizes))


@given(st.floats(1, 5_000), st.floats(1, 20))
def test_arrivals_are_as_many_as_rate_and_duration_say_and_all_within_it(rate, duration_s):
    profile = ArrivalsProfile(rate=rate, duration_s=duration_s, timeout_s=1.0, connections=10)
    assert profile.planned_offset_s(1) == 0.0
    assert profile.planned_offset_s(profile.requests) <= duration_s
    assert profile.planned_offset_s(profile.requests + 2) > duration_s
    assert profile.most_connections <= profile.requests


@pytest.mark.parametrize("kind", [kind for kind in PROFILE_KINDS if kind != "search"])
def test_an_order_is_told_by_its_profiles_kind(kind):
    profile = profile_of(kind, Asked())
    plain = json.loads(json.dumps(ORDER | {"profile": to_plain(profile)}))
    assert from_plain(LoadOrder, plain, "order").profile == profile


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ({"kind": "flood"}, "order: profile: kind 'flood' is none of burst, ramp, closed, arrivals"),
        ({}, "order: profile: kind None is none of"),
        (None, "order: profile: kind None is none of"),
        ({"kind": "closed", "requests": 1}, "order: profile"),
    ],
)
def test_an_order_with_no_known_profile_is_refused(profile, words):
    with pytest.raises(WireError) as caught:
        from_plain(LoadOrder, ORDER | {"profile": profile}, "order")
    assert words in str(caught.value)
