"""Joins a profile to Locust: one call in a locustfile registers everything. It runs no load."""

import atexit
import logging
import signal
import sys
from functools import partial
from typing import Any

import gevent
import locust.runners
from locust import events
from locust.runners import STATE_INIT, STATE_RUNNING, STATE_SPAWNING, MasterRunner, WorkerRunner

from floodmark.core.errors import FloodmarkError, InterruptedRunError, InvalidRunError, LimitError
from floodmark.core.outputs import Outputs
from floodmark.core.profile import PROFILE_KINDS
from floodmark.core.system import prove_linux
from floodmark.load.bus.sockets import secure_bus
from floodmark.load.master.conductor import Conductor
from floodmark.load.master.judging import found_by_command, judge_by_command, tell_no_verdict
from floodmark.load.options import add_load_options, read_load_options, wants_verdict
from floodmark.load.outputs import read_outputs
from floodmark.load.refusals import forget_refusal, note_refusal
from floodmark.load.web.board import Board
from floodmark.load.web.ui import join_web_ui
from floodmark.load.worker.worker import LoadWorker

logger = logging.getLogger(__name__)

HEARTBEATS_MISSED = 30
"""Locust gives a worker up after 3 missed heartbeats (3 to 5 s): a core that opens 10,000 connections may miss more."""

GATHER_TIMEOUT_S = 10.0
"""Afterwards Locust itself goes on waiting for workers, and says so."""

GATHER_PAUSE_S = 0.02

LAST_LOOK_S = 2.0
"""How long a start waits for the stop before it, when all workers have stopped: Locust looks for that once a second."""

STARTED_TIMEOUT_S = 5.0
"""For a start of Locust's to come to its end: it waits for its workers for a second."""


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
        try:
            prove_linux("a worker", "start it on a Linux host, and only the master here")
        except LimitError as error:
            logger.error("%s", error)  # noqa: TRY400 - a user's error is one line, no traceback
            sys.exit(error.exit_code)
        LoadWorker(environment)
    elif isinstance(runner, MasterRunner):
        try:
            outputs = read_outputs(environment.parsed_options)
        except FloodmarkError as error:
            logger.error("%s", error)  # noqa: TRY400 - a user's error is one line, no traceback
            sys.exit(error.exit_code)
        _MasterSide(kind, environment, outputs)
        if environment.parsed_options.headless:
            _gather(runner, environment.parsed_options)
    else:
        logger.error("A %s needs a master and workers: add --processes 2, or start --master and --worker", kind)
        sys.exit(2)


class _MasterSide:
    """Turns Locust's test start, stop and quit into one run of the conductor."""

    def __init__(self, kind: str, environment: Any, outputs: Outputs) -> None:
        self._kind = kind
        self._environment = environment
        self._outputs = outputs
        if environment.parsed_options.headless:
            atexit.register(self._end)
        judge = partial(judge_by_command, outputs=outputs)
        board = Board(environment, kind) if environment.web_ui is not None else None
        observe = board.observe if board is not None else None
        self._conductor = Conductor(environment, judge=judge, find=found_by_command, observe=observe)
        self._run: gevent.Greenlet | None = None
        self._board = board
        self._stopping = self._refusing = self._is_over = False
        if board is not None:
            self._show(board)
        environment.events.test_start.add_listener(self._start)
        environment.events.test_stopping.add_listener(self._test_stopping)
        environment.events.quitting.add_listener(self._stop)
        # Headless, Locust installs its own handler only after the test: until then SIGTERM would end it on the spot.
        gevent.signal_handler(signal.SIGTERM, self._terminate)

    def _show(self, board: Board) -> None:
        board.seats, board.is_busy = self._conductor.roster.seats, lambda: not (self._run is None or self._run.ready())
        join_web_ui(self._environment, board, self._kind)

    def _start(self, **_: Any) -> None:
        if self._run is not None and self._is_over and not self._environment.runner.user_count:
            self._run.join(timeout=LAST_LOOK_S)
        # Looked at anew: another start may have waited for the same, and come first.
        if self._run is not None and not self._run.ready():
            self._refuse("the run before has not ended yet: start again when its verdict is there")
            return
        forget_refusal(self._environment)
        self._stopping = self._is_over = False
        if self._board is not None:
            self._board.begin()
        # Until there is a verdict: Locust may quit before, and would do so with 0.
        self._environment.process_exit_code = InterruptedRunError.exit_code
        self._run = gevent.spawn(self._conduct)

    def _conduct(self) -> None:
        environment = self._environment
        try:
            options = read_load_options(self._kind, environment.parsed_options, environment.host)
            code = self._conductor.conduct(options)
        except FloodmarkError as error:
            logger.error("%s", error)  # noqa: TRY400 - a user's error is one line, no traceback
            self._tell_no_verdict(str(error))
            code = error.exit_code
        except Exception:
            logger.exception("The run ended on a bug")
            self._tell_no_verdict("the run ended on a bug: see the master's log")
            code = FloodmarkError.exit_code
        environment.process_exit_code = code
        if code == InvalidRunError.exit_code:
            logger.warning("The run is not valid: see its checks")
        if not self._stopping:
            # Stopping ends the shape at once; headless, Locust then quits by itself.
            _let_start_end(environment.runner)
            self._is_over = True  # but for Locust's own stop
            environment.runner.stop()

    def _refuse(self, words: str) -> None:
        """Locust has begun a test for which there is no load: it is stopped, or it would stay running for good."""
        logger.error("%s%s", words[0].upper(), words[1:])
        note_refusal(self._environment, words)
        gevent.spawn(self._end_locusts_test)  # not from here: Locust is in the middle of its start

    def _end_locusts_test(self) -> None:
        _let_start_end(self._environment.runner)
        self._refusing = True
        try:
            self._environment.runner.stop()
        finally:
            self._refusing = False

    def _test_stopping(self, **_: Any) -> None:
        """A test that was refused has no load to be cut: the run before goes on to its verdict."""
        if not self._refusing:
            self._stop()
            self._conductor.forget_lost()

    def _tell_no_verdict(self, words: str) -> None:
        note_refusal(self._environment, words)
        parsed = self._environment.parsed_options
        tell_no_verdict(self._environment.host or "", words, self._outputs, is_wanted=wants_verdict(parsed))

    def _terminate(self) -> None:
        self._stop()
        self._environment.runner.quit()
        if self._run is None and self._environment.parsed_options.headless:
            # Locust still waits for its workers, and looks at nothing else.
            logger.error("Interrupted before the load began")
            sys.exit(InterruptedRunError.exit_code)

    def _end(self) -> None:
        """The process ends: where Locust gave up waiting for its workers, or somebody else did, nobody has said so."""
        if self._run is None:
            self._tell_no_verdict("Locust ended before the load began")

    def _stop(self, **_: Any) -> None:
        """Locust stops or quits: a load under way is cut, and what was measured is kept."""
        run = self._run
        if run is not None and not run.ready() and run is not gevent.getcurrent():
            self._stopping = True
            # Locust stops by itself when its last worker is gone: that is no user's wish.
            self._conductor.cut(lost=self._environment.runner.worker_count == 0)
            run.join(timeout=15)


def _gather(runner: MasterRunner, options: Any) -> None:
    """Waits for the workers: Locust looks once a second whether they are there, and every run would wait for that."""
    timeout_s = min(GATHER_TIMEOUT_S, options.expect_workers_max_wait or GATHER_TIMEOUT_S)
    with gevent.Timeout(timeout_s, exception=False):
        while len(runner.clients.ready) < options.expect_workers:
            gevent.sleep(GATHER_PAUSE_S)


def _let_start_end(runner: Any) -> None:
    """A worker that is told to start and to stop at once may do the first last, and then Locust waits for a minute."""
    with gevent.Timeout(STARTED_TIMEOUT_S, exception=False):
        while runner.state in {STATE_INIT, STATE_SPAWNING, STATE_RUNNING} and not runner.spawning_completed:
            gevent.sleep(0.01)
