"""Joins a profile to Locust: one call in a locustfile registers everything. It runs no load."""

import logging
import signal
import sys
from functools import partial
from typing import Any

import gevent
import locust.runners
from locust import events
from locust.runners import MasterRunner, WorkerRunner

from floodmark.core.errors import FloodmarkError, InvalidRunError
from floodmark.core.profile import PROFILE_KINDS
from floodmark.load.bus import secure_bus
from floodmark.load.conductor import Conductor
from floodmark.load.judging import found_by_command, judge_by_command
from floodmark.load.options import add_load_options, read_load_options
from floodmark.load.worker import LoadWorker

logger = logging.getLogger(__name__)

HEARTBEATS_MISSED = 30
"""Locust gives a worker up after 3 missed heartbeats (3 to 5 s): a core that opens 10,000 connections may miss more."""


def install_profile(kind: str) -> None:
    """Registers a profile with Locust; call it once, at the end of a locustfile.

    `kind` is burst, ramp, closed, arrivals or search; another is a `ValueError`.
    """
    if kind not in PROFILE_KINDS:
        raise ValueError(f"a profile of the kind {kind!r}: there are {', '.join(PROFILE_KINDS)}")
    locust.runners.HEARTBEAT_LIVENESS = HEARTBEATS_MISSED
    secure_bus()
    events.init_command_line_parser.add_listener(partial(add_load_options, kind))  # type: ignore[no-untyped-call] # Locust's
    events.init.add_listener(partial(_on_init, kind))  # type: ignore[no-untyped-call] # Locust's


def _on_init(kind: str, environment: Any, **_: Any) -> None:
    runner = environment.runner
    if isinstance(runner, WorkerRunner):
        LoadWorker(environment)
    elif isinstance(runner, MasterRunner):
        _MasterSide(kind, environment)
    else:
        logger.error("A %s needs a master and workers: add --processes 2, or start --master and --worker", kind)
        sys.exit(2)


class _MasterSide:
    """Turns Locust's test start, stop and quit into one run of the conductor."""

    def __init__(self, kind: str, environment: Any) -> None:
        self._kind = kind
        self._environment = environment
        self._conductor = Conductor(environment, judge=judge_by_command, find=found_by_command)
        self._run: gevent.Greenlet | None = None
        self._stopping = False
        environment.events.test_start.add_listener(self._start)
        environment.events.test_stopping.add_listener(self._stop)
        environment.events.quitting.add_listener(self._stop)
        # Headless, Locust installs its own handler only after the test: until then SIGTERM would end it on the spot.
        gevent.signal_handler(signal.SIGTERM, self._terminate)

    def _start(self, **_: Any) -> None:
        if self._run is not None and not self._run.ready():
            logger.error("The run before has not ended yet: start again when its verdict is there")
            return
        self._stopping = False
        self._run = gevent.spawn(self._conduct)

    def _conduct(self) -> None:
        environment = self._environment
        try:
            options = read_load_options(self._kind, environment.parsed_options, environment.host)
            code = self._conductor.conduct(options)
        except FloodmarkError as error:
            logger.error("%s", error)  # noqa: TRY400 - a user's error is one line, no traceback
            code = error.exit_code
        except Exception:
            logger.exception("The run ended on a bug")
            code = FloodmarkError.exit_code
        environment.process_exit_code = code
        if code == InvalidRunError.exit_code:
            logger.warning("The run is not valid: see its checks")
        if not self._stopping:
            # Stopping ends the shape at once; headless, Locust then quits by itself.
            environment.runner.stop()

    def _terminate(self) -> None:
        self._stop()
        self._environment.runner.quit()

    def _stop(self, **_: Any) -> None:
        """Locust stops or quits: a load under way is cut, and what was measured is kept."""
        run = self._run
        if run is not None and not run.ready() and run is not gevent.getcurrent():
            self._stopping = True
            # Locust stops by itself when its last worker is gone: that is no user's wish.
            self._conductor.cut(lost=self._environment.runner.worker_count == 0)
            run.join(timeout=15)
