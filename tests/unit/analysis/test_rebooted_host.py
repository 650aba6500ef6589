"""A target's host that was started again in a run: told as what it is, and not as a clock that jumped."""

from dataclasses import replace

import pytest
from simulated import FIRED_S, Server, Simulation

from floodmark.analysis.judge import judge
from floodmark.core.absence import Absence

ABSENCE = Absence(agent="web:8000", from_s=FIRED_S + 2.0, until_s=FIRED_S + 24.0, restarted=True, rebooted=True)
WORDS = "the host of agent web:8000 was restarted: nothing was measured from 2.0 s after the release until 24.0 s"


@pytest.fixture
def recording():
    """The agent's clock, as it was read before the load and after: it began anew with its host."""
    found = Simulation(server=Server(slots=10), requests=100, hold_s=2.0).record()
    before = tuple(replace(clock, at_s=FIRED_S - 1.0) for clock in found.clocks)
    after = [
        replace(clock, at_s=FIRED_S + 30.0, offset_s=clock.offset_s - 5_000.0)
        for clock in before
        if clock.node == "agent"
    ]
    manifest = replace(found.manifest, absences=(ABSENCE,))
    return replace(found, manifest=manifest, clocks=(*before, *after))


def checks_of(recording):
    return {check.name: check for check in judge(recording).document.validity.checks}


def test_the_checks_on_clocks_and_target_say_that_the_host_was_restarted(recording):
    checks = checks_of(recording)
    assert not checks["clocks aligned"].ok
    assert checks["clocks aligned"].words.startswith(WORDS)
    assert "its clock began anew" in checks["clocks aligned"].words
    assert "jumped" not in checks["clocks aligned"].words
    assert not checks["target not restarted"].ok
    assert checks["target not restarted"].words.startswith(WORDS)


def test_a_clock_that_jumps_by_itself_is_told_as_before(recording):
    alone = replace(ABSENCE, rebooted=False)
    checks = checks_of(replace(recording, manifest=replace(recording.manifest, absences=(alone,))))
    assert checks["clocks aligned"].words.startswith("the clock of agent jumped")
    assert checks["target not restarted"].ok


def test_a_host_that_came_back_too_late_is_said_to_be_gone_from_then_on():
    words = replace(ABSENCE, until_s=None).words(FIRED_S)
    assert words == ("the host of agent web:8000 was restarted: nothing was measured from 2.0 s after the release on")
