"""A server under test as its ``target.toml`` describes it: checked once, here. Nothing is started."""

import dataclasses
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from floodmark.core.codec import from_plain
from floodmark.core.errors import PlanError, WireError
from floodmark.core.names import prove_plain_name
from floodmark.core.published import SuiteSpec, prove_failures
from floodmark.core.recognise import RecogniseSpec
from floodmark.core.request_spec import RequestSpec, prove_path, prove_status

FILE_NAME = "target.toml"
MAX_PORT = 65_535

LEAST_FILES = 8
"""Standard streams, the program, a listener, one connection, and room for the interpreter's own."""

_SYSCTL = re.compile(r"net(\.[a-z0-9_]+){2,}")
"""Names of the network's settings. No dots beside dots: it becomes a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSpec:
    """How to start the server in the foreground.

    `command` may use ``{python}`` ``{host}`` ``{port}`` ``{folder}`` ``{scratch}``. `app_dir`, relative to the file's
    folder, is put on PYTHONPATH and is the working directory. `port` 0 means any free port. `processes` is how many
    share the connections, 0: one per core; it says how many open files each of them needs.
    """

    command: tuple[str, ...]
    app_dir: str = "."
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    port: int = 0
    processes: int = 1

    def __post_init__(self) -> None:
        """Refuses what cannot be started."""
        if not self.command or not all(self.command):
            raise ValueError("command is empty: give the program and its words as a list")
        if not 0 <= self.port <= MAX_PORT:
            raise ValueError(f"port {self.port}: give a port from 0 (any free one) to {MAX_PORT}")
        if self.processes < 0:
            raise ValueError(f"processes {self.processes}: give how many share the connections, or 0 for one per core")


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsSpec:
    """The runtime: Python distributions, executables on PATH, files, and one line on how to get what is missing.

    An entry may name alternatives with ``|`` between them: one of them is enough. Among `files` a name without a slash
    is that of an executable.
    """

    distributions: tuple[str, ...] = ()
    executables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    install: str = "pip install 'floodmark[zoo]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadySpec:
    """The server is ready when a GET of `path` is answered with the request's expected status and text.

    `status` and `contains` name another answer, for a server that is right to refuse the request: one that is full, or
    set up wrongly on purpose.
    """

    path: str = "/?id=0&hold=0"
    timeout_s: float = 30.0
    status: int | None = None
    contains: str = ""

    def __post_init__(self) -> None:
        """Refuses what can never be answered."""
        prove_path(self.path)
        if self.status is None and self.contains:
            raise ValueError("contains without a status: the request's own text is expected; give both or none")
        if self.status is not None:
            prove_status(self.status)
        if self.timeout_s <= 0:
            raise ValueError(f"timeout_s {self.timeout_s:g}: give seconds above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsSpec:
    """Limits set on the target's processes; None leaves them as they are.

    `nofile` is RLIMIT_NOFILE: open files of each process. `nproc` is RLIMIT_NPROC: processes and threads of it in all.
    `sysctl` are settings of a network namespace, as in ``net.ipv4.tcp_syncookies``: the run happens in one of its own.
    """

    nofile: int | None = None
    nproc: int | None = None
    sysctl: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses a limit that nothing can run under."""
        if self.nofile is not None and self.nofile < LEAST_FILES:
            raise ValueError(f"nofile {self.nofile}: give at least {LEAST_FILES}; a Python alone opens that many")
        if self.nproc is not None and self.nproc < 1:
            raise ValueError(f"nproc {self.nproc}: give at least 1; the program itself is one")
        for name in self.sysctl:
            if not _SYSCTL.fullmatch(name):
                raise ValueError(f"sysctl {name!r}: give a setting of the network, such as net.ipv4.tcp_syncookies")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectSpec:
    """What is known of this server. The verdict quotes it only where the measured ceiling agrees.

    `ceiling` None: nobody said; `unbounded`: none can be proven, since nothing bounds it or nobody waits behind those
    in service. `failures` are the kinds of failure (`Outcome`) that are this server's own way to refuse what it cannot
    take; `may_fail` those that come at one time and not at another, since they depend on how fast the machine is.
    `moved_by` names in a few words what moves the ceiling; `why` and `knob` are a paragraph each.
    """

    ceiling: int | None = None
    unbounded: bool = False
    failures: tuple[str, ...] = ()
    may_fail: tuple[str, ...] = ()
    moved_by: str = ""
    why: str = ""
    knob: str = ""

    def __post_init__(self) -> None:
        """Refuses what contradicts itself, and a kind of failure that there is not."""
        prove_failures(self.failures)
        prove_failures(self.may_fail, "may_fail")
        if self.unbounded and self.ceiling is not None:
            raise ValueError(f"unbounded and a ceiling of {self.ceiling}: give one of them")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSpec:
    """One target. `folder` is where its file was found; it is not part of the file."""

    name: str
    summary: str
    start: StartSpec
    needs: NeedsSpec = dataclasses.field(default_factory=NeedsSpec)
    ready: ReadySpec = dataclasses.field(default_factory=ReadySpec)
    request: RequestSpec = dataclasses.field(default_factory=RequestSpec)
    limits: LimitsSpec = dataclasses.field(default_factory=LimitsSpec)
    expect: ExpectSpec = dataclasses.field(default_factory=ExpectSpec)
    recognise: RecogniseSpec = dataclasses.field(default_factory=RecogniseSpec)
    suite: SuiteSpec = dataclasses.field(default_factory=SuiteSpec)
    folder: str = "."

    def __post_init__(self) -> None:
        """Refuses a name that is no folder's."""
        prove_plain_name("name", self.name)

    @property
    def answers(self) -> bool:
        """False where the request is known to be refused even when it comes alone."""
        return self.ready.status is None

    @property
    def ready_answer(self) -> RequestSpec:
        """The answer to the ready check: the request's, or the one that ``[ready]`` names in its place."""
        if self.ready.status is None:
            return self.request
        return RequestSpec(path=self.ready.path, status=self.ready.status, contains=self.ready.contains)


def read_target(path: Path) -> TargetSpec:
    """The target that a ``target.toml`` describes, or its folder. `name` defaults to the folder's name.

    Raises `PlanError` with the file, the place and the remedy.
    """
    file = path / FILE_NAME if path.is_dir() else path
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PlanError(f"{file}: no such file; a target is a folder with a {FILE_NAME}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{file}: not valid TOML: {error}") from None
    folder = file.resolve().parent
    data = {"name": folder.name, "summary": "", **data, "folder": str(folder)}
    try:
        return from_plain(TargetSpec, data, str(file))
    except WireError as error:
        raise PlanError(f"{error}; docs/reference/target-toml.md lists what a target file may say") from None
