"""A target started on a host, proven ready, and proven gone afterwards. What it is asked later is not decided here."""

import os
import re
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from floodmark.core.address import Address
from floodmark.core.errors import FloodmarkError, MissingRuntimeError, PlanError, TargetError
from floodmark.core.target import TargetSpec
from floodmark_deploy.port import free_port, is_free, prove_free
from floodmark_deploy.ready import ask
from floodmark_deploy.shell import Command, Job, Shell
from floodmark_deploy.zoo import availability, executable_path

READY_PAUSE_S = 0.05
"""Between two tries: short against the start of any server (a bare Python needs 20 ms, Flask 200 ms)."""

READY_TRY_S = 2.0
"""The longest one try may take; `ready.timeout_s` bounds them all."""

READY_LAST_TRY_S = 0.5
"""What the last one has, beyond that bound, too: without time it would see nothing, and hide what was seen before."""

STOP_TIMEOUT_S = 5.0
"""What a target is given to follow SIGTERM before SIGKILL: nobody waits for the answers it still holds."""

PORT_TIMEOUT_S = 5.0
"""How long after its last process a port may be busy: the kernel closes a dead process' sockets while it exits."""

TAIL_LINES = 12
"""How much of the target's log an error shows."""

SCRATCH = "scratch"
"""Its placeholder and its name beside the target's log: a folder that is gone when the target has been stopped."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class TargetProcess:
    """A target that runs and has answered. `address` is where; `job` its processes."""

    def __init__(  # noqa: PLR0913 - each is a thing of its own, all by name
        self,
        *,
        spec: TargetSpec,
        address: Address,
        job: Job,
        scratch: ExitStack,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        """Takes over a job that has been started, and the `scratch` folder that is closed when it has been stopped."""
        self.spec = spec
        self.address = address
        self.job = job
        self._scratch = scratch
        self._clock = clock
        self._sleep = sleep
        self._is_stopped = False

    @property
    def pid(self) -> int:
        """The first process of its tree."""
        return self.job.pid

    def prove_alive(self) -> None:
        """Raises `TargetError` with the exit code and the last log lines where the first process has ended."""
        code = self.job.poll()
        if code is not None:
            raise TargetError(f"{self.spec.name} ended {_ending(code)}{self._log_words()}")

    def wait_ready(self) -> None:
        """Returns when the target has answered. Raises `TargetError`: it died, or what the last try saw."""
        deadline_s = self._clock() + self.spec.ready.timeout_s
        while True:
            self.prove_alive()
            left_s = deadline_s - self._clock()
            if left_s <= 0:
                break
            try_s = min(max(left_s, READY_LAST_TRY_S), READY_TRY_S)
            seen = ask(self.address, self.spec.ready.path, self.spec.ready_answer, try_s)
            if seen is None:
                return
            self._sleep(READY_PAUSE_S)
        raise TargetError(
            f"{self.spec.name} was not ready within {self.spec.ready.timeout_s:g} s:"
            f" GET {self.spec.ready.path} saw {seen}{self._log_words()}"
        )

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Ends the target and proves that no process and no listener of it is left. Harmless when repeated."""
        if self._is_stopped:
            return  # whoever has the port by now is another
        self.job.stop(timeout_s)
        self._scratch.close()
        deadline_s = self._clock() + PORT_TIMEOUT_S
        while not is_free(self.address.host, self.address.port) and self._clock() < deadline_s:
            self._sleep(READY_PAUSE_S)
        try:
            prove_free(self.address.host, self.address.port)
        except TargetError as error:
            raise TargetError(f"{self.spec.name} was stopped, and yet {error}") from None
        self._is_stopped = True

    def _log_words(self) -> str:
        lines = self.job.tail(TAIL_LINES)
        if not lines:
            return "; it printed nothing"
        return "; its last lines:" + "".join(f"\n    {line}" for line in lines)


def start_target(  # noqa: PLR0913 - each is a thing of its own, all by name
    spec: TargetSpec,
    shell: Shell,
    *,
    host: str,
    port: int = 0,
    run_log: Path,
    marker: str,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> TargetProcess:
    """Starts a target and returns it when it has answered its ready check.

    `port` 0: the file's port, or any free one. `run_log` takes what it prints. Raises `MissingRuntimeError`,
    `PlanError` or `TargetError`; then nothing of it is left running.
    """
    prove_available(spec)
    port = port or spec.start.port or free_port(host)
    prove_free(host, port)
    address = Address(host=host, port=port)
    command = build_command(spec, address, run_log=run_log, marker=marker)
    scratch = ExitStack()
    if names_scratch(spec):
        scratch.enter_context(shell.private_folder(scratch_folder(run_log)))
    try:
        job = shell.start(command)
    except FloodmarkError as error:
        scratch.close()
        raise TargetError(f"{spec.name}: {error}") from None
    target = TargetProcess(spec=spec, address=address, job=job, scratch=scratch, clock=clock, sleep=sleep)
    try:
        target.wait_ready()
    except BaseException:
        job.stop(STOP_TIMEOUT_S)
        scratch.close()
        raise
    return target


def scratch_folder(run_log: Path) -> Path:
    """The folder that ``{scratch}`` names: absolute, for a command runs in a folder of its own."""
    return run_log.resolve().with_name(SCRATCH)


def names_scratch(spec: TargetSpec) -> bool:
    """The folder is made only for a command that names it."""
    return any(f"{{{SCRATCH}}}" in word for word in spec.start.command)


def prove_available(spec: TargetSpec) -> None:
    """Raises `MissingRuntimeError` for the first thing that the target needs and this machine lacks."""
    for missing in availability(spec):
        raise MissingRuntimeError(f"{spec.name} needs {missing}")


def build_command(spec: TargetSpec, address: Address, *, run_log: Path, marker: str) -> Command:
    """The target's command with its placeholders filled in. Raises `PlanError` for one that there is not.

    ``{host}:{port}`` written together becomes ``[::1]:8000`` for an IPv6 address, as servers want it.
    """
    places = {
        "python": sys.executable,
        "host": address.host,
        "port": str(address.port),
        "folder": spec.folder,
        SCRATCH: str(scratch_folder(run_log)),
    }
    app_dir = Path(spec.folder, spec.start.app_dir).resolve()
    if not app_dir.is_dir():
        raise PlanError(f"{spec.name}: start.app_dir {spec.start.app_dir!r} is no folder in {spec.folder}")
    search = [str(app_dir), *filter(None, [os.environ.get("PYTHONPATH")])]
    return Command(
        argv=tuple(_fill(spec, word, places, address.authority) for word in spec.start.command),
        env={"PYTHONPATH": os.pathsep.join(search), "PATH": executable_path(), **spec.start.env},
        cwd=str(app_dir),
        log=run_log,
        marker=marker,
        nofile=spec.limits.nofile,
        nproc=spec.limits.nproc,
    )


def _fill(spec: TargetSpec, word: str, places: dict[str, str], authority: str) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in places:
            known = " ".join(f"{{{place}}}" for place in places)
            raise PlanError(f"{spec.name}: start.command has {{{name}}}, which is no placeholder; there are {known}")
        return places[name]

    return _PLACEHOLDER.sub(value, word.replace("{host}:{port}", authority))


def _ending(code: int) -> str:
    return f"with exit code {code}" if code >= 0 else f"by signal {-code}"
