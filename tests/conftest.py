"""Tests run side by side (`make test`), but not those marked `alone`: what else runs would change what they measure.

What starts no servers (tests/unit, tests/rules) may go on meanwhile, with what the processor has left over.
"""

import fcntl
import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).parent
LOW_PRIORITY = 10
MAY_RISE = os.geteuid() == 0
"""Only root gets a priority back that it gave away (setpriority(2))."""

settings.register_profile("floodmark", deadline=None)  # what is right never depends on how fast the machine is
settings.load_profile("floodmark")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    run_id = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run_id is None:
        return (yield)
    if _is_background(item.path):
        with _left_over():
            return (yield)
    with _turn(run_id, is_alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Under xdist files are handed out in order: those in the background evenly among the others."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    files = [list(group) for _, group in groupby(items, key=lambda item: item.path)]
    behind = [file for file in files if _is_background(file[0].path)]
    before = [file for file in files if not _is_background(file[0].path)]
    places = [((index + 0.5) / len(kind), file) for kind in (before, behind) for index, file in enumerate(kind)]
    items[:] = [item for _, file in sorted(places, key=itemgetter(0)) for item in file]


def _is_background(path: Path) -> bool:
    return MAY_RISE and path.relative_to(HERE).parts[0] in {"unit", "rules"}


@contextmanager
def _left_over() -> Iterator[None]:
    """Runs at a low priority, so that a test that measures beside it does not notice."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, LOW_PRIORITY)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)


@contextmanager
def _turn(run_id: str, *, is_alone: bool) -> Iterator[None]:
    """Waits until this test may run: many at once, or one alone. Who waits to be alone lets nobody else in."""
    with _file(run_id, "turn") as turn:
        with _file(run_id, "gate") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(turn, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
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
