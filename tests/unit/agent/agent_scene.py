"""An agent with a bus and a target that do as they are told, on a clock that only waiting moves."""

from collections import deque
from typing import Any

from floodmark.core import messages
from floodmark.core.codec import to_plain
from floodmark.core.command_line import CommandLine
from floodmark.core.errors import TargetError
from floodmark.core.messages import (
    WIRE_VERSION,
    Fetch,
    Hello,
    Watch,
    Welcome,
)
from floodmark.core.sample import ConnectionCounts, TargetLimits
from floodmark.core.series import unpack_block
from floodmark_agent.agent import Agent
from floodmark_agent.budget import Budget
from floodmark_agent.bus import Incoming
from floodmark_agent.sampler import Glance

HELLO = Hello(wire=1, name="web:8000", host="web", pid=7, version="1")
LIMITS = TargetLimits(
    pid=7,
    open_files=1024,
    processes=None,
    somaxconn=4096,
    tcp_max_syn_backlog=512,
    tcp_syncookies=1,
    tcp_abort_on_overflow=0,
    pids_max=None,
)
COUNTS = ConnectionCounts(
    port=8000,
    accept_queue=1,
    unread=2,
    read=3,
    half_open=4,
    abandoned=5,
    abandoned_queue=0,
    closing=6,
    time_wait=7,
)
COMMANDS = (CommandLine(words="gunicorn app:app", pids=(7, 8)),)


class FakeBus:
    """A bus whose waits move the clock, and that can be shut."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self.coming: deque[Incoming] = deque()
        self.sent: list[tuple[str, Any]] = []
        self.refused: list[tuple[str, Any]] = []
        self.is_open = True
        self.renewed = 0

    def renew(self) -> None:
        self.renewed += 1

    def clock(self) -> float:
        return self.now_s

    def say(self, kind: str, data: Any) -> None:
        self.coming.append(Incoming(kind=kind, data=data, received_s=self.now_s))

    def receive(self, timeout_s: float) -> Incoming | None:
        if self.coming:
            return self.coming.popleft()
        self.now_s += max(timeout_s, 0.001)
        return None

    def send(self, kind: str, record: Any) -> bool:
        (self.sent if self.is_open else self.refused).append((kind, record))
        return self.is_open

    def of(self, kind: str) -> list[Any]:
        return [record for sent, record in self.sent if sent == kind]


class FakeTarget:
    def __init__(self) -> None:
        self.is_closed = False
        self.counts = COUNTS

    def glance(self) -> Glance:
        return Glance(looked_s=1.0, listeners=(), processes=(), counters=None)

    def count(self) -> tuple[ConnectionCounts, ...]:
        return (self.counts,)

    def limits(self) -> TargetLimits | None:
        return LIMITS

    def notes(self) -> tuple[str, ...]:
        return ("a note",)

    def command_lines(self) -> tuple[CommandLine, ...]:
        return COMMANDS

    def ports(self) -> tuple[int, ...]:
        return (8000, 8001)

    def close(self) -> None:
        self.is_closed = True


class Scene:
    def __init__(self) -> None:
        self.bus = FakeBus()
        self.targets: list[FakeTarget] = []
        self.asked: list[int | None] = []
        self.problem: str | None = None
        self.used_s = 0.0
        budget = Budget(0.02, clock=self.bus.clock, cpu_clock=lambda: self.used_s)
        self.agent = Agent(link=self.bus, hello=HELLO, open_target=self.open, budget=budget, clock=self.bus.clock)

    def open(self, port: int | None) -> FakeTarget:
        self.asked.append(port)
        if self.problem is not None:
            raise TargetError(self.problem)
        self.targets.append(FakeTarget())
        return self.targets[-1]

    def run_for(self, duration_s: float) -> None:
        end_s = self.bus.now_s + duration_s
        self.agent.run(stopped=lambda: self.bus.now_s >= end_s)

    def step_for(self, duration_s: float) -> None:
        end_s = self.bus.now_s + duration_s
        while self.bus.now_s < end_s:
            self.agent.step()

    def samples(self) -> list[int]:
        """The numbers of the samples in the live figures."""
        return [sample.sequence for report in self.bus.of(messages.SAMPLES) for sample in report.samples]

    def watch(self, beat_s: float = 0.02, number: int = 1) -> None:
        self.bus.say(messages.WATCH, to_plain(Watch(beat_s=beat_s, number=number, port=8000)))

    def welcome(self, master: str = "m", wire: int = WIRE_VERSION) -> None:
        self.bus.say(messages.WELCOME, to_plain(Welcome(wire=wire, master=master)))

    def fetch(self, first: int, blocks: int = 1 << 30, number: int = 1) -> list[int]:
        """The numbers of the samples in the answer to a fetch."""
        before = len(self.bus.of(messages.CHUNK))
        self.bus.say(messages.FETCH, to_plain(Fetch(number=number, first=first, blocks=blocks)))
        self.agent.step()
        return [
            sample.sequence
            for chunk in self.bus.of(messages.CHUNK)[before:]
            for block in chunk.blocks
            for sample in unpack_block(block)
        ]
