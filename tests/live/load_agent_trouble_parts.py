"""What the master promises where an agent does not do its part; `test_profiles_by_hand.py` runs it.

Each `keeps_...` is a test and is called at the end: importing `floodmark.load` patches the whole process.
"""

from dataclasses import replace
from types import SimpleNamespace

from load_agent_parts import Scene, Watch, chunk_of  # isort: skip - gevent comes before all else

from parts import keep_all

from floodmark.core import messages
from floodmark.core.address import Address
from floodmark.core.errors import ClusterError, InterruptedRunError, WireError
from floodmark.core.messages import Chunk
from floodmark.core.profile import SearchProfile
from floodmark.core.run_folder import RunStatus
from floodmark.core.series import CHUNK_BLOCKS, CHUNK_BYTES
from floodmark.load.master.agent_watch import CUT_FETCH_TIMEOUT_S, CUT_STALLED_S, FETCH_TIMEOUT_S, RETURN_S
from floodmark.load.master.conductor import Conductor
from floodmark.load.master.judging import Found
from floodmark.load.master.roster import AGENT_SILENT_S, GIVEN_UP_S
from floodmark.load.master.run_log import RunLog
from floodmark.load.master.search import Search

LOAD_S = 10.0
BEAT_S = 0.05


def raised(kind, call, *given):
    try:
        call(*given)
    except kind as error:
        return str(error)
    raise AssertionError(kind)


def rests(one):
    return [(data, identity) for kind, data, identity in one.orders if kind == messages.REST]


# It does not rest.


def keeps_an_end_to_the_fetching_from_an_agent_that_goes_on_sampling():
    one = Watch()
    one.scene.now_s += LOAD_S
    one.answer = lambda fetch: chunk_of(fetch.first, fetch.first + 50, left=50)
    one.watch.rest()
    one.watch.fetch_all()
    assert LOAD_S / BEAT_S <= one.kept() <= LOAD_S / BEAT_S + 100
    assert len(rests(one)) > 2
    assert one.log.manifest.problems == ()  # what is beyond the load's time is of no use


def keeps_telling_an_agent_to_rest_that_has_not_heard_it():
    one = Watch()
    one.scene.now_s += LOAD_S
    one.watch.rest()
    one.answer = lambda fetch: chunk_of(fetch.first, 60, resting=len(rests(one)) > 1)
    one.watch.fetch_all()
    assert rests(one) == [(None, "a")] * 2
    assert one.numbers() == list(range(60))


def keeps_to_a_deadline_with_an_agent_that_sends_its_series_drop_by_drop():
    one = Watch()
    one.scene.now_s += 3600.0
    one.answer = lambda fetch: chunk_of(fetch.first, fetch.first + 1, left=50, resting=True)
    one.watch.rest()
    began_s = one.scene.now_s
    one.watch.fetch_all()
    assert one.scene.now_s - began_s < FETCH_TIMEOUT_S + 5.0
    assert "samples were fetched" in one.log.manifest.problems[-1]
    assert one.watch._series.next < 5000
    one.chunk(one.watch._series.next, 5000, resting=True)
    assert one.kept() < 5000


def keeps_a_user_who_stops_from_waiting_for_a_slow_agent():
    one = Watch()
    one.scene.now_s += 3600.0
    one.answer = lambda fetch: chunk_of(fetch.first, fetch.first + 1, left=50, resting=True)
    one.patience.cut_asked = True
    one.watch.rest()
    began_s = one.scene.now_s
    one.watch.fetch_all()
    assert one.scene.now_s - began_s < CUT_FETCH_TIMEOUT_S + 1.0


# It sends too much.


def keeps_answers_out_that_are_larger_than_an_agents():
    one = Watch()
    (block,) = chunk_of(0, 1).blocks
    for blocks in ((block,) * (CHUNK_BLOCKS + 1), (bytes(CHUNK_BYTES), block)):
        chunk = Chunk(number=1, blocks=blocks, left=0, dropped=0, resting=False)
        letter = one.scene.letter(messages.CHUNK, chunk, "a")
        assert "a part of a series has" in raised(WireError, one.watch.note_chunk, letter)
    assert one.kept() == 0


# Its host is started again.


def keeps_a_reboot_of_the_agents_host_from_being_told_as_less():
    one = Watch(boot="monday")
    one.log.update(fired_s=one.scene.now_s - 1.0)
    one.chunk(0, 10)
    one.scene.go(AGENT_SILENT_S + 1)
    one.watch.look()
    one.scene.go(20)
    one.scene.hello("b", process="q", boot="tuesday")
    one.watch.look()
    (absence,) = one.log.manifest.absences
    assert (absence.rebooted, absence.restarted) == (True, True)
    words = absence.words(one.log.manifest.fired_s)
    assert words.startswith("the host of agent web was restarted: nothing was measured from 1.0 s after")
    assert words.endswith("s after the release")
    assert "Its host h was restarted" in one.scene.said
    one.scene.hello("b", process="q", boot="tuesday")
    assert one.scene.said.count("Its host h was restarted") == 1


def keeps_an_agent_that_was_restarted_alone_from_being_told_as_a_reboot():
    for before, after in (("monday", "monday"), ("", "monday"), ("monday", "")):
        one = Watch(boot=before)
        one.scene.go(AGENT_SILENT_S + 1)
        one.watch.look()
        one.scene.hello("b", process="q", boot=after)
        one.watch.look()
        (absence,) = one.log.manifest.absences
        assert (absence.rebooted, absence.restarted) == (False, True)


def keeps_a_reboot_in_mind_of_which_the_agent_came_back_too_late():
    one = Watch(boot="monday")
    one.log.update(fired_s=one.scene.now_s - 1.0)
    one.scene.go(AGENT_SILENT_S + 1)
    one.watch.look()
    one.watch.rest()
    one.scene.hello("b", process="q", boot="tuesday")
    one.watch.fetch_all()
    assert one.log.manifest.problems[0].startswith("the host of agent web was restarted: nothing was measured from")
    assert one.log.manifest.problems[0].endswith("after the release on")


# It is cut off, for long or while the run ends.


def keeps_what_an_agent_measured_before_it_gave_up_waiting():
    one = Watch()
    one.log.update(fired_s=100.0)
    one.log.keep_hits([])
    one.chunk(0, 64, left=36)
    one.scene.go(AGENT_SILENT_S + 1)
    one.watch.look()
    one.scene.now_s += 700.0
    one.scene.hello("b", process="p")  # no watch: it rests
    one.answer = lambda fetch: chunk_of(fetch.first, 100, resting=True)
    for _ in range(4):
        one.watch.look()
    assert [kind for kind, _, identity in one.orders if identity == "b"] == [messages.FETCH, messages.WATCH]
    assert one.numbers() == list(range(100))
    one.watch.rest()
    one.answer = lambda fetch: chunk_of(fetch.first, 5, resting=True)
    one.watch.fetch_all()
    assert one.kept() == 105
    (absence,) = one.log.manifest.absences
    assert (absence.rested, absence.restarted, one.log.manifest.problems) == (True, False, ())
    assert "gave up waiting meanwhile" in one.log.manifest.agent_notes[-1]


def keeps_no_agent_waiting_that_has_nothing_of_before():
    one = Watch()
    one.scene.go(AGENT_SILENT_S + 1)
    one.watch.look()
    one.scene.hello("b", process="p")
    one.watch.look()
    one.scene.now_s += CUT_STALLED_S + 1
    one.watch.look()
    assert [kind for kind, _, identity in one.orders if identity == "b"] == [messages.FETCH, messages.WATCH]


def keeps_what_an_agent_that_left_did_not_hand_over_among_the_problems():
    one = Watch()
    one.scene.now_s += LOAD_S
    one.chunk(0, 64, left=100)
    one.scene.roster.agents()[0].left = one.scene.roster.agents()[0].lost = True
    one.watch.look()
    one.watch.rest()
    one.watch.fetch_all()
    left, missing = one.log.manifest.problems
    assert "agent web left" in left
    assert "64 samples were fetched" in missing


def told_to_rest(scene):
    return [(data["watch"], identity) for kind, data, identity in scene.sent if kind == messages.REST]


def keeps_agents_from_sampling_on_that_no_watch_is_under_way_for():
    one = Watch()
    scene = one.scene
    scene.hello("a", process="p", watch=1)
    assert told_to_rest(scene) == []
    scene.hello("x", process="other", name="db", watch=1)  # not the one that was chosen
    scene.hello("a", process="p", watch=0)
    assert told_to_rest(scene) == [(1, "x"), (0, "a")]
    one.watch.rest()
    scene.hello("b", process="p", watch=1)
    assert told_to_rest(scene)[2:] == [(1, "b")]


def keeps_nobody_sampling_when_the_user_stops_before_the_load():
    one = Watch(begins=False)
    one.send = lambda *order: one.orders.append(order)
    one.watch._send = one.send
    one.patience.pause = lambda _: setattr(one.patience, "cut_asked", True)
    raised(InterruptedRunError, one.watch.begin)
    assert [kind for kind, _, _ in one.orders] == [messages.WATCH, messages.REST]
    one.scene.hello("a", process="p", watch=1)
    assert told_to_rest(one.scene) == [(1, "a")]


def keeps_waiting_for_an_agent_that_is_away_when_a_load_is_to_begin():
    one = Watch(begins=False)
    one.scene.go(AGENT_SILENT_S + 1)
    began_s = one.scene.now_s
    said = raised(ClusterError, one.watch.begin)
    assert said == "agent web was lost before the load, and was not back 7 s later"
    assert RETURN_S <= one.scene.now_s - began_s < RETURN_S + 1
    one.patience.pause = lambda _: one.scene.hello("b", process="p")
    one.watch.begin()
    assert one.watch.node == "b"


def keeps_telling_before_which_burst_of_a_search_its_agent_was_lost():
    one = Watch(begins=False)
    one.scene.go(AGENT_SILENT_S + 1)
    options = replace(
        one.options, profile=SearchProfile(first=10, most=100, hold_s=0.1), folder=one.options.folder / "search"
    )
    bursts = []

    def run(log, burst):
        log.close(RunStatus.FAILED)
        bursts.append(burst.profile.requests)
        if len(bursts) > 1:
            one.watch.begin()

    found = Found(valid=True, peak=10, ceiling=None, answered=10)
    log = RunLog(options, workers=1)
    search = Search(log, options, run=run, find=lambda _: found, is_cut=lambda: False, rest=bursts.append)
    said = raised(ClusterError, search.go)
    assert said.startswith("burst 2 of up to 3: agent web was lost before the load")
    log.close(RunStatus.FAILED)


def keeps_count_of_what_each_of_two_processes_had_no_room_for():
    one = Watch()
    one.chunk(0, 10, dropped=7)
    one.scene.go(AGENT_SILENT_S + 1)
    one.watch.look()
    one.scene.hello("b", process="q")
    one.watch.look()
    one.answer = lambda fetch: chunk_of(fetch.first, 5, resting=True, dropped=2)
    one.watch.rest()
    one.watch.fetch_all()
    assert one.log.manifest.problems == ("agent web had no room for 9 samples, and dropped them",)


# There are two of a name.


def keeps_a_name_for_who_waits_for_it_once_the_first_has_left():
    scene = Scene()
    scene.hello("a", process="p")
    scene.go(100, ("a", "p"), ("b", "rival"))
    assert scene.said[1:] == ["Two agents are called web: give each its own --name"]
    assert scene.roster.refusals() == ["two agents are called web: give each its own --name"]
    scene.roster.agents()[0].left = scene.roster.agents()[0].lost = True
    scene.go(1, ("b", "rival"))
    assert [seat.client_id for seat in scene.roster.agents()] == ["b"]
    assert scene.said[2:] == ["Agent web on h (pid 7) takes the place of one that is gone"]
    assert scene.roster.refusals() == []


def keeps_a_name_for_who_waits_for_it_once_the_first_is_lost_for_long():
    scene = Scene()
    scene.hello("a", process="p")
    scene.go(10, ("a", "p"), ("b", "rival"))
    scene.go(AGENT_SILENT_S + 10, ("b", "rival"))
    assert scene.roster.agents() == []
    scene.go(GIVEN_UP_S, ("b", "rival"))
    assert [seat.client_id for seat in scene.roster.agents()] == ["b"]


def keeps_from_calling_an_agent_a_second_one_that_was_killed_and_started_again_at_once():
    scene = Scene()
    scene.hello("a", process="p")
    scene.go(2, ("a", "p"))
    scene.go(AGENT_SILENT_S + 2, ("b", "next"))
    assert [seat.client_id for seat in scene.roster.agents()] == ["b"]
    assert not any("Two agents" in words for words in scene.said)


def keeps_who_waits_for_an_agent_from_not_knowing_that_there_is_one():
    one = Watch(begins=False)
    gathering = SimpleNamespace(_patience=one.patience, _roster=one.scene.roster)
    options = SimpleNamespace(agents=2, address=Address(host="127.0.0.1", port=8000))
    said = raised(ClusterError, Conductor._gather_agents, gathering, options)
    assert said.startswith("waited 15 s for 2 agents: start `floodmark-agent --port 8000`")
    one.patience.pause = lambda _: one.scene.go(0.5, ("b", "rival"), ("a", "p"))
    said = raised(ClusterError, Conductor._gather_agents, gathering, options)
    assert said == "waited 15 s for 2 agents: two agents are called web: give each its own --name"


if __name__ == "__main__":
    keep_all(globals())
