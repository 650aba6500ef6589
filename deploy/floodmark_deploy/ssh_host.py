"""One host over SSH: words to run there, files to put there and to fetch. It knows nothing of clusters.

Keys of hosts must be known: none is ever added. Every step has its time. Errors begin with the host's name.
"""

import contextlib
import logging
import shlex
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import paramiko

from floodmark.core.errors import ClusterError
from floodmark_deploy.ssh_forward import LOOPBACK, Forward
from floodmark_deploy.ssh_login import CONNECT_TIMEOUT_S, log_in
from floodmark_deploy.ssh_settings import SshSettings

# What it warns of, errors here say with the host's name.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """Its last line, for errors."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1] if lines else "it printed nothing"


class SshHost:
    """A connection. Use it in a ``with``, or close it."""

    def __init__(self, settings: SshSettings) -> None:
        """Connects, by way of its jump hosts. Raises `ClusterError` with the reason and its remedy."""
        self.name = settings.name
        self._jump = SshHost(settings.jump) if settings.jump else None
        self._client = paramiko.SSHClient()
        self._reader: paramiko.SFTPClient | None = None  # for `read`, which is done again and again
        try:
            log_in(self._client, settings, self._jump.channel_to if self._jump else None)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """For a ``with``."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes."""
        self.close()

    def close(self) -> None:
        """Ends the connection. Harmless when repeated."""
        self._client.close()
        if self._jump:
            self._jump.close()

    def run(self, words: Sequence[str], *, timeout_s: float, text_in: str = "", what: str = "") -> Done:
        """Runs words there: each reaches the program as it is, whatever a shell would make of it.

        Raises `ClusterError`, with `what` before it, where the connection is lost or the time is over; not for an exit
        code.
        """
        program, said = _program(words), f"{what}: " if what else ""
        with self._told(
            f"{said}`{program}` did not end within {timeout_s:g} s",
            f"{said}the connection was lost during `{program}`",
        ):
            return _run_on(self._started(words, timeout_s), timeout_s, text_in)

    def must(self, words: Sequence[str], *, timeout_s: float, text_in: str = "", what: str = "") -> str:
        """What the words print. Raises `ClusterError` where they end with another exit code than 0, too."""
        done = self.run(words, timeout_s=timeout_s, text_in=text_in, what=what)
        if done.code:
            said = what or f"`{_program(words)}` ended with exit code {done.code}"
            raise ClusterError(f"{self.name}: {said}: {done.last.removeprefix('floodmark: ')}")
        return done.out

    def hold(self, words: Sequence[str], *, timeout_s: float, what: str) -> "Held":
        """Starts a program that gives back what it is sent, and returns when it does. Close what is returned.

        It ends with the connection, whatever becomes of this process. Raises `ClusterError` with `what` where it ends.
        """
        program = _program(words)
        with self._told(
            f"`{program}` did not answer within {timeout_s:g} s", f"the connection was lost during `{program}`"
        ):
            channel = self._started(words, timeout_s)
            stdin = channel.makefile_stdin("wb")
            stdin.write("held\n")
            stdin.flush()
            answer = channel.makefile("r").readline()
        if not answer:
            raise ClusterError(f"{self.name}: {what}")
        return Held(stdin)

    def put(self, source: Path, place: str, *, timeout_s: float) -> None:
        """Copies a file to the host, for its user only; it has its name when it is whole."""
        beside = f"{place}.partial"
        with (
            self._told(
                f"sending {source.name} stood still for {timeout_s:g} s",
                f"{source.name} could not be sent to {place}, whose disk may be full",
            ),
            self._files(timeout_s) as files,
        ):
            files.put(str(source), beside)
            files.chmod(beside, 0o600)
            files.posix_rename(beside, place)

    def get(self, place: str, target: Path, *, timeout_s: float) -> None:
        """Copies a file from the host; it has its name when it is whole."""
        beside = target.with_name(f"{target.name}.partial")
        with (
            self._told(
                f"fetching {place} stood still for {timeout_s:g} s", f"{place} could not be fetched to {target}"
            ),
            self._files(timeout_s) as files,
        ):
            files.get(place, str(beside))
            beside.rename(target)

    def read(self, place: str, offset: int = 0, *, timeout_s: float) -> bytes | None:
        """What a file there has from `offset` on; None where there is no such file. Raises `ClusterError`."""
        with self._told(f"reading {place} stood still for {timeout_s:g} s", f"{place} cannot be read"):
            if self._reader is None:
                self._reader = self._files(timeout_s)
            try:
                with self._reader.open(place, "rb") as file:
                    file.seek(offset)
                    return file.read()
            except FileNotFoundError:
                return None

    def listing(self, place: str, *, timeout_s: float) -> list[tuple[str, int]]:
        """What is in a folder there: names, and modes as stat(2) has them."""
        with (
            self._told(f"listing {place} stood still for {timeout_s:g} s", f"{place} cannot be read"),
            self._files(timeout_s) as files,
        ):
            return sorted((entry.filename, entry.st_mode or 0) for entry in files.listdir_attr(place))

    def channel_to(self, host: str, port: int) -> paramiko.Channel:
        """A way through this host: to the next one, or to a port of its own. Raises `paramiko.SSHException`."""
        return self._transport().open_channel("direct-tcpip", (host, port), (LOOPBACK, 0), timeout=CONNECT_TIMEOUT_S)

    def forward(self, local_port: int, remote_port: int) -> Forward:
        """A port of this machine's loopback becomes one of the host's. Close what is returned."""
        return Forward(self.name, self._transport(), local_port, remote_port)

    def _transport(self) -> paramiko.Transport:
        transport = self._client.get_transport()
        if transport is None:
            raise ClusterError(f"{self.name}: the connection is closed")
        return transport

    def _files(self, timeout_s: float) -> paramiko.SFTPClient:
        """SFTP on a channel of its own."""
        return paramiko.SFTPClient(self._channel(lambda channel: channel.invoke_subsystem("sftp"), timeout_s))

    def _started(self, words: Sequence[str], timeout_s: float) -> paramiko.Channel:
        return self._channel(lambda channel: channel.exec_command(shlex.join(words)), timeout_s)

    def _channel(self, ask: Callable[[paramiko.Channel], None], timeout_s: float) -> paramiko.Channel:
        """A channel on which the host does what it is asked. Raises `TimeoutError`: paramiko would wait on."""
        channel, late = self._transport().open_session(timeout=timeout_s), threading.Event()
        channel.settimeout(timeout_s)

        def give_up() -> None:
            late.set()
            with contextlib.suppress(OSError, EOFError):  # the connection has ended meanwhile
                channel.close()

        timer = threading.Timer(timeout_s, give_up)
        timer.daemon = True
        timer.start()
        try:
            ask(channel)
        except paramiko.SSHException:
            if late.is_set():
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
        return channel

    @contextlib.contextmanager
    def _told(self, late: str, lost: str) -> Iterator[None]:
        """Errors in here are the host's, in these words."""
        try:
            yield
        except TimeoutError:
            raise ClusterError(f"{self.name}: {late}") from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ClusterError(f"{self.name}: {lost}: {str(error) or 'it ended'}") from None


def _run_on(channel: paramiko.Channel, timeout_s: float, text_in: str) -> Done:
    stdout, stderr = channel.makefile("r"), channel.makefile_stderr("r")
    errors: list[bytes] = []
    reader = threading.Thread(target=_keep_all, args=(stderr, errors), daemon=True)
    reader.start()  # both at once: one that is full would stop the program
    try:
        _give(channel, text_in)
        out = stdout.read()
        if not channel.status_event.wait(timeout_s):
            raise TimeoutError
        reader.join(timeout_s)
    finally:
        channel.close()
    return Done(
        code=channel.recv_exit_status(),
        out=out.decode(errors="replace"),
        err=b"".join(errors).decode(errors="replace"),
    )


def _give(channel: paramiko.Channel, text: str) -> None:
    """Hands over what the program reads, as far as it does: one that is not there has ended before."""
    try:
        channel.sendall(text.encode())
        channel.shutdown_write()
    except TimeoutError:
        raise
    except OSError:
        if not channel.get_transport().is_active():
            raise


def _keep_all(file: paramiko.ChannelFile, kept: list[bytes]) -> None:
    """What is lost here is told by whoever reads the other half of the channel."""
    with contextlib.suppress(OSError, EOFError):  # a TimeoutError is one, too
        kept.append(file.read())


class Held:
    """A program on a host that lives as long as this does."""

    def __init__(self, stdin: paramiko.ChannelFile) -> None:
        """`stdin` is the program's: it is kept, since paramiko ends what a file that nobody keeps leads to."""
        self._stdin = stdin
        self._channel = stdin.channel

    def close(self) -> None:
        """Ends the program, and returns when it has ended, or its host is silent. Harmless when repeated."""
        with contextlib.suppress(paramiko.SSHException, OSError, EOFError):
            self._channel.shutdown_write()
            self._channel.status_event.wait(CONNECT_TIMEOUT_S)
        self._channel.close()


def _program(words: Sequence[str]) -> str:
    """What is run, for errors: `sudo` and its option are before most of it."""
    return next(word for word in words if word not in {"sudo", "-n"})
