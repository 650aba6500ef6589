import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from floodmark.core.clock import ClockReading, clock_courses, read_clock


def course(*readings: tuple[float, float, float | None]):
    made = [ClockReading(node="n", offset_s=offset, bound_s=bound, at_s=at) for offset, bound, at in readings]
    return clock_courses(made)["n"]


def test_a_reading_knows_when_it_was_made() -> None:
    assert read_clock("n", [(10.0, 500.0, 500.0, 10.2), (11.0, 501.0, 501.0, 11.1)]).at_s == pytest.approx(11.05)


def test_a_difference_within_the_bounds_is_no_drift_and_the_best_reading_counts() -> None:
    found = course((100.0, 0.002, 10.0), (100.001, 0.001, 40.0))

    assert found.drift_s == pytest.approx(0.001)
    assert (found.moved_s, found.jumped_s) == (0.0, 0.0)
    assert found.bound_s == pytest.approx(0.001 + 0.002)
    assert found.offset_at(120.0) == 100.001


def test_a_poor_last_reading_leaves_what_two_clocks_can_drift_apart_in_the_bound() -> None:
    for over_s, bound_s in ((10.0, 0.0001 + 0.01), (3600.0, 0.06 + 0.06)):
        found = course((100.0, 0.0001, 0.0), (100.06, 0.06, over_s))

        assert found.moved_s == 0.0
        assert found.bound_s == pytest.approx(bound_s)


@given(
    st.floats(-5e-4, 5e-4),
    st.tuples(st.floats(0, 0.1), st.floats(0, 0.1)),
    st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    st.floats(0.01, 7200.0),
    st.floats(0, 1),
)
@example(rate=-5.5e-5, bounds=(0.0625, 0.0), errors=(1.0, 0.0), over_s=1.0, share=0.0)
@example(rate=-5e-4, bounds=(0.1, 0.1), errors=(1.0, -1.0), over_s=0.15, share=0.5)
def test_no_time_between_the_readings_is_further_off_than_the_bound(
    rate: float, bounds: tuple[float, float], errors: tuple[float, float], over_s: float, share: float
) -> None:
    """A clock that drifts evenly, read twice, each time wrong by a part of that reading's bound."""
    first, last = (bound * error for bound, error in zip(bounds, errors, strict=True))
    found = course((100.0 + first, bounds[0], 0.0), (100.0 + rate * over_s + last, bounds[1], over_s))

    at_s = share * over_s
    true_s = 100.0 + rate * at_s
    assert abs(found.offset_at(at_s + true_s) - true_s) <= found.bound_s + 1e-9


def test_a_drift_is_taken_off_along_the_line_between_the_readings() -> None:
    found = course((100.0, 0.0001, 0.0), (100.1, 0.0002, 1000.0))

    assert found.jumped_s == 0.0
    assert found.bound_s == 0.0002
    assert found.offset_at(100.0) == pytest.approx(100.0)
    assert found.offset_at(600.05) == pytest.approx(100.05)
    assert found.offset_at(1100.1) == pytest.approx(100.1)


@pytest.mark.parametrize("sign", [1, -1])
def test_more_than_two_clocks_can_drift_apart_is_a_jump_and_widens_the_bound(sign: int) -> None:
    found = course((100.0, 0.001, 0.0), (100.0 + sign * 0.5, 0.001, 10.0))

    assert found.jumped_s == pytest.approx(0.5 - 0.002 - 0.01)
    assert found.bound_s == pytest.approx(0.5 + 0.001)
    assert found.offset_at(105.0) == 100.0


@pytest.mark.parametrize("readings", [[(5.0, 0.1, 1.0)], [(5.0, 0.1, None), (9.0, 0.1, None)]])
def test_one_reading_and_readings_without_a_time_tell_no_drift(
    readings: list[tuple[float, float, float | None]],
) -> None:
    found = course(*readings)

    assert (found.drift_s, found.over_s, found.moved_s) == (None, None, 0.0)
    assert found.offset_at(77.0) == 5.0
