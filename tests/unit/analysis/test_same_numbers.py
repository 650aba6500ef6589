"""A place has one number: the sentence says the table's."""

import re

from simulated import Server, Simulation
from simulated_steady import SteadySimulation

from floodmark.analysis.judge import judge
from floodmark.analysis.sentence import WAITED
from floodmark.core.profile import ArrivalsProfile

MENTION = re.compile(rf"([\d,]+) (?:waited )?({'|'.join(WAITED.values())})")
PLACES = {words: place for place, words in WAITED.items()}

OVERLOAD = ArrivalsProfile(rate=200.0, duration_s=4.0, timeout_s=5.0, connections=5_000, hold_s=0.1)

RECORDINGS = {
    "a line that grows": SteadySimulation(profile=OVERLOAD, slots=10, service_s=0.1),
    "a line in the kernel that grows": SteadySimulation(profile=OVERLOAD, slots=10, service_s=0.1, reads_at_once=False),
    "a burst that waits inside": Simulation(server=Server(slots=40), requests=300),
    "a burst that waits in the kernel": Simulation(server=Server(slots=4, reads_at_once=False), requests=100),
    "a burst of which most come late": Simulation(server=Server(slots=None, lets_in=100), requests=300),
}


def test_the_sentence_says_of_a_place_what_the_table_says():
    named = 0
    for name, simulation in RECORDINGS.items():
        verdict = judge(simulation.record()).document.verdict
        said = {PLACES[words]: int(number.replace(",", "")) for number, words in MENTION.findall(verdict.sentence)}
        assert said == {place: verdict.waiting[place].peak for place in said}, name
        named += bool(said)
    assert named >= 4
