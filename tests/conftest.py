"""Tests run side by side (`make test`), but not those marked `alone`: what else runs would change what they measure.

What starts no servers (tests/unit, tests/rules) may go on meanwhile, with what the processor has left over. So those
that are alone come first, and in one process: each that comes between others waits for the longest of them, and keeps
all of them waiting.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from enum import IntEnum, auto
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

HERE = Path(__file__).parent
LOW_PRIORITY, PRIORITY = 10, os.getpriority(os.PRIO_PROCESS, 0)
AUTOGROUP = Path("/proc/self/autogroup")
MAY_RISE = os.geteuid() == 0
"""Only root gets a priority back that it gave away (setpriority(2))."""

SLOW_FILES = frozenset({
    "test_agent_comes_and_goes.py",
    "test_bus.py",
    "test_by_hand.py",
    "test_profiles_by_hand.py",
    "test_run_refusals.py",
    "test_targets.py",
    "test_web_ui.py",
})  # fmt: skip
"""Half a minute and more each: begun last, one of these would go on when all others are through."""

settings.register_profile("floodmark", deadline=None)  # what is right never depends on how fast the machine is
settings.load_profile("floodmark")


class Place(IntEnum):
    """Which files are handed out before which."""

    ALONE = auto()
    BACKGROUND = auto()
    LAB = auto()
    SLOW = auto()
    OTHER = auto()


@cache
def _place(path: Path) -> Place:
    folder = path.relative_to(HERE).parts[0]
    if MAY_RISE and folder in {"unit", "rules"}:
        return Place.BACKGROUND
    if folder == "lab":
        return Place.LAB
    if "mark.alone" in path.read_text(encoding="utf-8"):
        return Place.ALONE
    return Place.SLOW if path.name in SLOW_FILES else Place.OTHER


def _group(path: Path) -> str:
    """What one process does, one after the other: a file, but for those that are alone and those that share a lab."""
    place = _place(path)
    if place is Place.ALONE:
        return "alone"
    # Hosts take a while to make, and to have Floodmark installed: two labs are quicker than one, and than one each.
    return f"lab {path.name == 'test_ansible.py'}" if place is Place.LAB else str(path)


class Groups(LoadFileScheduling):
    """Gives whole groups to whoever is free, in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(self.config.rootpath / super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Groups | None:
    """xdist's: by default those with the most tests come first, which are the quickest here."""
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return Groups(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: _place(item.path))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    run_id = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run_id is None:
        return (yield)
    if _place(item.path) is Place.BACKGROUND:
        _take_priority(LOW_PRIORITY)
        try:
            return (yield)
        finally:
            if nextitem is None or _place(nextitem.path) is not Place.BACKGROUND:
                _take_priority(PRIORITY)
    if not _is_alone(item):
        with _turn(run_id, fcntl.LOCK_SH):
            return (yield)
    TURN.begin(run_id)
    try:
        return (yield)
    finally:
        if nextitem is None or not _is_alone(nextitem):
            TURN.end()


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


def _take_priority(nice: int) -> None:
    """This process', and its session's: where the kernel groups by sessions (sched(7), autogroup), the first counts
    within one only, and the servers and workers of a test that is alone have sessions of their own.
    """
    os.setpriority(os.PRIO_PROCESS, 0, nice)
    while AUTOGROUP.exists():
        try:
            AUTOGROUP.write_text(str(nice))
        except BlockingIOError:  # in a container: ten times a second and no more
            time.sleep(0.02)
        else:
            return


def pytest_configure() -> None:
    """A process of xdist's gets a session of its own, whose priority is no other's. Ctrl-C reaches it through xdist."""
    if "PYTEST_XDIST_WORKER" in os.environ and MAY_RISE and os.getpgrp() != os.getpid():
        os.setsid()


class Turn:
    """This process' time alone, which goes on from one test to the next."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self._is_held = False

    def begin(self, run_id: str) -> None:
        """Waits for the others, where this process is not alone yet."""
        if not self._is_held:
            self._held.enter_context(_turn(run_id, fcntl.LOCK_EX))
            self._is_held = True

    def end(self) -> None:
        """The others go on."""
        self._is_held = False
        self._held.close()


TURN = Turn()


@contextmanager
def _turn(run_id: str, lock: int) -> Iterator[None]:
    """Waits until this test may run: many at once, or one alone. Who waits to be alone lets nobody else in."""
    with _file(run_id, "turn") as turn:
        with _file(run_id, "gate") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(turn, lock)
        yield  # closing the file gives the lock back


@contextmanager
def _file(run_id: str, name: str) -> Iterator[int]:
    path = Path(tempfile.gettempdir()) / f"floodmark-tests-{run_id}.{name}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The first process, which has no tests of its own under xdist, takes the lock files away."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    run_id = getattr(session.config, "floodmark_run_id", None)
    for name in ("turn", "gate") if run_id else ():
        (Path(tempfile.gettempdir()) / f"floodmark-tests-{run_id}.{name}").unlink(missing_ok=True)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """xdist's, in the first process: notes what the run is called."""
    config = node.config  # type: ignore[attr-defined] # xdist's WorkerController
    config.floodmark_run_id = node.workerinput["testrunuid"]  # type: ignore[attr-defined]
