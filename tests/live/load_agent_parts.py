"""What the master promises of agents; run by `test_profiles_by_hand.py` in a process of its own.

Each `keeps_...` is a test and is called at the end: importing `floodmark.load` patches the whole process.
"""

import logging
import tempfile
from pathlib import Path
from types import SimpleNamespace

from floodmark.load import ParkedUser  # noqa: F401  isort: skip - gevent comes before all else

from parts import keep_all

from floodmark.core import messages
from floodmark.core.address import Address
from floodmark.core.codec import to_plain
from floodmark.core.errors import ClusterError, InterruptedRunError
from floodmark.core.messages import WIRE_VERSION, Chunk, Fetch, Hello, Samples, Watching
from floodmark.core.profile import BurstProfile
from floodmark.core.request_spec import RequestSpec
from floodmark.core.run_folder import LIVE, SAMPLES, RunStatus
from floodmark.core.sample import Sample
from floodmark.core.series import pack_block, sample_line
from floodmark.load.bus.inbox import Letter
from floodmark.load.master.agent_choice import choose
from floodmark.load.master.agent_watch import AgentWatch
from floodmark.load.master.roster import AGENT_SILENT_S, Roster
from floodmark.load.master.run_log import RunLog
from floodmark.load.options import LoadOptions
from floodmark.load.patience import Patience


class Scene:
    """A bus without a network, and a clock that goes when it is told to."""

    def __init__(self):
        self.now_s = 100.0
        self.sent = []
        self.said = []
        runner = SimpleNamespace(send_message=lambda kind, data, client_id: self.sent.append((kind, data, client_id)))
        self.roster = Roster(runner, master="m", clock=lambda: self.now_s)
        handler = logging.Handler()
        handler.emit = lambda record: self.said.append(record.getMessage())
        logging.getLogger("floodmark.load").handlers = [handler]
        logging.getLogger("floodmark.load").setLevel(logging.INFO)

    def hello(self, identity, *, process, name="web", wire=WIRE_VERSION, **more):
        hello = Hello(wire=wire, name=name, host="h", pid=7, version="1", process=process, **more)
        self.roster.hello(self.letter(messages.HELLO, hello, identity))

    def letter(self, kind, record, sender):
        return Letter(kind=kind, data=to_plain(record), sender=sender, received_s=self.now_s)

    def go(self, seconds, *speaking):
        """Time passes; those who speak say hello every half second."""
        for _ in range(int(seconds / 0.5)):
            self.now_s += 0.5
            for identity, process in speaking:
                self.hello(identity, process=process)
            self.roster.look()


def keeps_an_agent_by_its_name_whatever_it_speaks_from():
    scene = Scene()
    scene.hello("a", process="p")
    scene.go(2, ("a", "p"))
    scene.hello("b", process="p")  # the same process by another connection takes over at once
    assert [seat.client_id for seat in scene.roster.agents()] == ["b"]
    scene.go(AGENT_SILENT_S + 1)
    assert scene.roster.agents() == []
    scene.hello("c", process="q")
    assert [(seat.client_id, seat.process) for seat in scene.roster.agents()] == [("c", "q")]
    assert scene.said == [
        "Agent web on h (pid 7) has joined",
        "Agent web is back, by another connection",
        "Agent web is lost: nothing was heard of it for 3 s",
        "Agent web is back, restarted (pid 7)",
    ]
    assert {kind for kind, _, _ in scene.sent} == {messages.WELCOME}


def keeps_an_agents_place_from_another_of_its_name_and_gives_it_to_a_successor():
    scene = Scene()
    scene.hello("a", process="p")
    scene.go(5, ("a", "p"), ("b", "rival"))
    assert scene.said[1:] == ["Two agents are called web: give each its own --name"]
    scene.go(AGENT_SILENT_S + 2, ("b", "rival"))
    assert scene.roster.agents() == []
    scene.hello("c", process="successor")
    assert [seat.client_id for seat in scene.roster.agents()] == ["c"]
    # One that begins while the one before is just gone: refused at first, since nobody knows that yet.
    scene.go(AGENT_SILENT_S + 2, ("d", "next"))
    assert [seat.client_id for seat in scene.roster.agents()] == ["d"]


def keeps_from_calling_an_agent_lost_when_it_was_away_itself():
    scene = Scene()
    scene.hello("a", process="p")
    scene.now_s += 60.0
    scene.roster.look()
    assert len(scene.roster.agents()) == 1
    scene.go(1)
    assert scene.roster.agents() == []


def keeps_an_agent_of_another_version_out_and_says_so_once():
    scene = Scene()
    for _ in range(3):
        scene.hello("a", process="p", wire=1)
    assert scene.roster.agents() == []
    assert len(scene.said) == 1
    assert f"speaks version 1, this master {WIRE_VERSION}" in scene.said[0]
    assert scene.sent[0][1] == {"wire": WIRE_VERSION, "master": "m"}


def watching(*ports, problem=None, number=1):
    return Watching(problem=problem, limits=None, notes=("a note",), ports=ports, number=number)


def refusal(*answers):
    try:
        choose(answers, 8000)
    except ClusterError as error:
        return str(error)
    return None


def keeps_to_the_agent_of_the_port_under_load():
    found = choose([("a", watching(8001)), ("b", watching()), ("c", watching(8000, 9000)), ("d", watching(8000))], 8000)
    assert found.name == "c"
    assert [note.split(":")[0] for note in found.notes] == [
        "agent a watches port 8001, not the load's",
        "agent b is not used",
        "agent d watches port 8000, too",
    ]
    assert choose([("b", watching())], 8000).name == "b"
    assert refusal(("a", watching(8001)), ("b", watching(problem="none"))) == (
        "agent a watches port 8001, and the load goes to port 8000: start it with --port 8000; agent b: none"
    )
    assert refusal(("a", None)) == "waited 15 s for agent a to find the target"


def sample(number):
    return Sample(
        sequence=number,
        due_s=float(number),
        taken_s=float(number),
        socket_s=float(number),
        cost_s=0.0,
        missed=0,
        listeners=(),
        connections=(),
        processes=None,
        counters=None,
    )


class Watch:
    """One watch of one agent, that has been chosen."""

    def __init__(self, *, begins=True, boot="", rest_s=0.0):
        self.scene = scene = Scene()
        self.options = options = LoadOptions(
            profile=BurstProfile(requests=1, within_s=0.0, hold_s=1.0, timeout_s=None),
            address=Address(host="127.0.0.1", port=8000),
            request=RequestSpec(),
            agents=1,
            beat_s=0.05,
            folder=Path(tempfile.mkdtemp()) / "run",
            prepared=False,
            judge=False,
        )
        self.log = RunLog(options, workers=1)
        self.orders = []
        self.coming = []
        self.answer = None
        self.patience = Patience(self.clock)
        self.patience.pause = self.pause
        self.watch = AgentWatch(
            options,
            self.log,
            number=1,
            roster=scene.roster,
            patience=self.patience,
            send=self.send,
            clock=self.clock,
        )
        scene.hello("a", process="p", boot=boot, rest_s=rest_s)
        if begins:
            self.watch.begin()

    def pause(self, timeout_s):
        """A wait takes no time of the test's, all of its own."""
        self.scene.now_s += timeout_s
        while self.coming and self.coming[0][0] <= self.scene.now_s:
            self.coming.pop(0)[1]()

    def happens(self, after_s, what):
        """So much later, in a wait."""
        self.coming.append((self.scene.now_s + after_s, what))

    def began_after(self):
        """How long the watch's beginning took."""
        began_s = self.scene.now_s
        self.watch.begin()
        return self.scene.now_s - began_s

    def clock(self):
        self.scene.now_s += 0.001
        return self.scene.now_s

    def send(self, kind, record, identity):
        self.orders.append((kind, record, identity))
        if kind == messages.WATCH:
            self.watch.note_watching(self.scene.letter(messages.WATCHING, watching(8000), identity))
        elif kind == messages.FETCH and self.answer is not None:
            self.watch.note_chunk(self.scene.letter(messages.CHUNK, self.answer(record), identity))

    def live(self, number, *, full=0.0, sender="a", watch=1):
        report = Samples(number=watch, samples=(sample(number),), taken=number + 1, dropped=0, full=full)
        self.watch.note_samples(self.scene.letter(messages.SAMPLES, report, sender))

    def chunk(self, first, end, *, left=0, resting=False, dropped=0):
        chunk = chunk_of(first, end, left=left, resting=resting, dropped=dropped)
        self.watch.note_chunk(self.scene.letter(messages.CHUNK, chunk, "a"))

    def fetches(self):
        return [record for kind, record, _ in self.orders if kind == messages.FETCH]

    def kept(self, name=SAMPLES):
        path = self.log.folder.path / name
        return path.read_text().count('"sequence"') if path.exists() else 0

    def numbers(self):
        return [one.sequence for one in self.log.folder.read().samples]


def chunk_of(first, end, *, left=0, resting=False, dropped=0):
    blocks = (pack_block([sample_line(sample(number)) for number in range(first, end)]),) if end > first else ()
    return Chunk(number=1, blocks=blocks, left=left, dropped=dropped, resting=resting)


def keeps_an_agent_from_a_watch_until_it_has_rested_and_for_half_a_minute_at_the_most():
    for rest_s, least_s, most_s, said in (
        (0.0, 0.0, 0.1, []),
        (9.0, 9.0, 9.5, ["it rests for 9 s"]),
        (1e300, 30.0, 30.5, ["it rests for 30 s", "has not rested in 30 s: the load goes on without"]),
    ):
        one = Watch(begins=False, rest_s=rest_s)
        assert least_s <= one.began_after() <= most_s
        assert [kind for kind, _, _ in one.orders] == [messages.WATCH]
        rests = [words for words in one.scene.said if "rest" in words]
        assert [words.endswith(end) for words, end in zip(rests, said, strict=True)] == [True] * len(said)


def keeps_to_what_an_agent_said_last_of_its_rest():
    one = Watch(begins=False, rest_s=20.0)
    one.happens(2.0, lambda: one.scene.hello("a", process="p"))  # it has rested meanwhile
    assert 2.0 <= one.began_after() <= 2.5
    one = Watch(begins=False, rest_s=1.0)
    one.happens(0.5, lambda: one.scene.hello("b", process="p", rest_s=12.0))  # by another connection
    assert 12.5 <= one.began_after() <= 13.0
    one = Watch(begins=False, rest_s=20.0)
    one.happens(2.0, lambda: setattr(one.scene.roster.agent("web"), "lost", True))
    one.happens(4.0, lambda: one.scene.hello("b", process="p", rest_s=5.0))
    assert 9.0 <= one.began_after() <= 9.5


def keeps_from_waiting_for_an_agent_that_watches_another_port():
    one = Watch(begins=False)
    one.scene.hello("b", process="q", name="other", ports=(9000,), rest_s=20.0)
    assert one.began_after() < 0.1
    one.scene.hello("c", process="r", name="more", ports=(9000, 8000), rest_s=20.0)
    assert one.began_after() >= 20.0


def keeps_an_interrupt_from_waiting_for_an_agents_rest():
    one = Watch(begins=False, rest_s=20.0)
    one.happens(1.0, lambda: setattr(one.patience, "cut_asked", True))
    began_s = one.scene.now_s
    try:
        one.watch.begin()
    except InterruptedRunError:
        assert one.scene.now_s - began_s <= 1.5
    assert [kind for kind, _, _ in one.orders] == [messages.REST]


def keeps_live_figures_as_they_come_and_those_of_others_out():
    one = Watch()
    one.live(0)
    one.live(5)
    one.live(6, sender="b")
    one.live(7, watch=2)
    assert (one.kept(LIVE), one.kept(SAMPLES), one.watch.lookout.samples_seen) == (2, 0, 6)
    assert one.fetches() == []


def keeps_the_fetching_slow_while_a_load_is_on_and_only_from_a_room_that_is_half_full():
    one = Watch()
    one.live(0, full=0.49)
    one.live(100, full=0.5)
    one.live(105, full=0.6)  # an answer is on its way
    assert one.fetches() == [Fetch(number=1, first=0, blocks=1)]
    one.chunk(0, 64, left=40)
    one.live(110, full=0.5)
    assert one.fetches()[1:] == [Fetch(number=1, first=64, blocks=1)]
    one.scene.now_s += 5.0
    one.live(115, full=0.5)  # the answer was lost
    assert one.fetches()[2:] == [Fetch(number=1, first=64, blocks=1)]


def keeps_each_sample_once_and_in_order_whatever_comes_twice():
    one = Watch()
    for number in (0, 9, 70):
        one.live(number)
    one.chunk(0, 64, left=6)
    one.chunk(0, 64, left=6)
    one.chunk(64, 70)
    assert one.kept() == 70
    assert one.numbers() == list(range(71))


def keeps_fetching_after_the_load_until_the_agent_that_rests_has_no_more():
    one = Watch()
    one.answer = lambda fetch: chunk_of(
        fetch.first, min(fetch.first + 50, 230), left=max(0, 180 - fetch.first), resting=True
    )
    one.scene.now_s += 230 * 0.05
    one.watch.rest()
    one.watch.fetch_all()
    assert one.numbers() == list(range(230))
    assert [fetch.first for fetch in one.fetches()] == [0, 50, 100, 150, 200, 230]
    assert one.fetches()[-1].blocks == 0  # all has arrived: the agent need not keep it for its end
    assert one.log.manifest.problems == ()


def keeps_what_is_missing_among_the_problems():
    one = Watch()
    one.live(0)
    one.chunk(0, 10, left=90, dropped=7)
    one.watch.rest()
    one.scene.go(AGENT_SILENT_S + 1)
    one.watch.fetch_all()
    lost, missing, dropped = one.log.manifest.problems
    assert lost.startswith("agent web was lost")
    assert "10 samples were fetched: beyond these there are its live figures only" in missing
    assert dropped == "agent web had no room for 7 samples, and dropped them"


def keeps_the_series_of_an_agent_that_comes_back_by_another_connection():
    one = Watch()
    one.log.update(fired_s=100.0)
    one.log.keep_hits([])
    one.chunk(0, 64, left=5)
    one.scene.go(AGENT_SILENT_S + 1)
    one.watch.look()
    assert one.watch.node is None
    assert [absence.until_s for absence in one.log.manifest.absences] == [None]
    one.scene.hello("b", process="p", watch=1)
    one.watch.look()
    assert one.watch.node == "b"
    one.watch.rest()
    one.answer = lambda fetch: chunk_of(fetch.first, 80, resting=True)
    one.watch.fetch_all()
    assert [kind for kind, _, _ in one.orders].count(messages.WATCH) == 1
    assert one.numbers() == list(range(80))
    (absence,) = one.log.manifest.absences
    assert (absence.restarted, one.log.manifest.problems) == (False, ())
    assert "sent it later" in one.log.manifest.agent_notes[-1]


def keeps_an_agent_that_was_restarted_at_work():
    one = Watch()
    one.chunk(0, 64)
    one.scene.roster.bye(one.scene.letter(messages.BYE, Hello(wire=1, name="web", host="h", pid=7, version="1"), "a"))
    one.watch.look()
    one.scene.hello("b", process="q")
    one.watch.look()
    assert one.orders[-1][0] == messages.WATCH
    assert one.orders[-1][2] == "b"
    (absence,) = one.log.manifest.absences
    assert absence.restarted
    assert absence.left
    one.answer = lambda fetch: chunk_of(fetch.first, 3, resting=True)
    one.watch.rest()
    one.watch.fetch_all()
    assert one.kept() == 64 + 3


def keeps_an_agent_that_comes_back_anew_after_the_load_from_being_waited_for():
    one = Watch()
    one.watch.rest()
    one.scene.go(AGENT_SILENT_S + 1)
    one.scene.hello("b", process="q")
    one.watch.look()
    one.watch.fetch_all()
    assert [kind for kind, _, _ in one.orders].count(messages.WATCH) == 1
    assert "beyond these there are its live figures only" in one.log.manifest.problems[-1]
    one.log.close(RunStatus.COMPLETE)


if __name__ == "__main__":
    keep_all(globals())
