"""One host over SSH: words to run there, files to put there and to fetch. It knows nothing of clusters.

Keys of hosts must be known: none is ever added. Every step has its time. Errors begin with the host's name.
"""

import contextlib
import logging
import os
import select
import shlex
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import paramiko

from floodmark.core.errors import ClusterError
from floodmark_deploy.ssh_settings import SSH_PORT, SshSettings

logging.getLogger("paramiko").addHandler(
    logging.NullHandler()
)  # what it warns of, errors here say with the host's name

CONNECT_TIMEOUT_S = 15.0
"""TCP, the exchange of keys, and logging in have this each."""

READ_BYTES = 65_536

AGENT_VARIABLE = "SSH_AUTH_SOCK"
_AGENT_LOCK = threading.Lock()


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
        self._sftp: paramiko.SFTPClient | None = None  # for `read`, which is done again and again
        try:
            self._connect(settings)
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

    def run(self, words: Sequence[str], *, timeout_s: float, text_in: str = "") -> Done:
        """Runs words there: each reaches the program as it is, whatever a shell would make of it.

        Raises `ClusterError` where the connection is lost, or the time is over; not for an exit code.
        """
        try:
            return self._run(shlex.join(words), timeout_s, text_in)
        except TimeoutError:
            raise ClusterError(f"{self.name}: `{words[0]}` did not end within {timeout_s:g} s") from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ClusterError(f"{self.name}: the connection was lost during `{words[0]}`: {error}") from None

    def must(self, words: Sequence[str], *, timeout_s: float, text_in: str = "", what: str = "") -> str:
        """What the words print. Raises `ClusterError` where they end with another exit code than 0, too."""
        done = self.run(words, timeout_s=timeout_s, text_in=text_in)
        if done.code:
            said = what or f"`{words[0]}` ended with exit code {done.code}"
            raise ClusterError(f"{self.name}: {said}: {done.last.removeprefix('floodmark: ')}")
        return done.out

    def hold(self, words: Sequence[str], *, timeout_s: float, what: str) -> "Held":
        """Starts a program that gives back what it is sent, and returns when it does. Close what is returned.

        It ends with the connection, whatever becomes of this process. Raises `ClusterError` with `what` where it ends.
        """
        try:
            stdin, stdout, _ = self._client.exec_command(shlex.join(words), timeout=timeout_s)
            stdin.write("held\n")
            stdin.flush()
            answer = stdout.readline()
        except TimeoutError:
            raise ClusterError(f"{self.name}: `{words[0]}` did not answer within {timeout_s:g} s") from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ClusterError(f"{self.name}: the connection was lost during `{words[0]}`: {error}") from None
        if not answer:
            raise ClusterError(f"{self.name}: {what}")
        return Held(stdin)

    def put(self, source: Path, place: str, *, timeout_s: float) -> None:
        """Copies a file to the host, for its user only; it has its name when it is whole."""
        try:
            with self._client.open_sftp() as sftp:
                _channel(sftp).settimeout(timeout_s)
                beside = f"{place}.partial"
                sftp.put(str(source), beside)
                sftp.chmod(beside, 0o600)
                sftp.posix_rename(beside, place)
        except TimeoutError:
            raise ClusterError(f"{self.name}: sending {source.name} stood still for {timeout_s:g} s") from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ClusterError(
                f"{self.name}: {source.name} could not be sent to {place}: {error}; is its disk full?"
            ) from None

    def get(self, place: str, target: Path, *, timeout_s: float) -> None:
        """Copies a file from the host; it has its name when it is whole."""
        beside = target.with_name(f"{target.name}.partial")
        try:
            with self._client.open_sftp() as sftp:
                _channel(sftp).settimeout(timeout_s)
                sftp.get(place, str(beside))
            beside.rename(target)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ClusterError(f"{self.name}: {place} could not be fetched to {target}: {error}") from None

    def read(self, place: str, offset: int = 0, *, timeout_s: float) -> bytes | None:
        """What a file there has from `offset` on; None where there is no such file. Raises `ClusterError`."""
        try:
            if self._sftp is None:
                self._sftp = self._client.open_sftp()
            _channel(self._sftp).settimeout(timeout_s)
            with self._sftp.open(place, "rb") as file:
                file.seek(offset)
                return file.read()
        except FileNotFoundError:
            return None
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ClusterError(f"{self.name}: {place} cannot be read: {error}") from None

    def listing(self, place: str) -> list[tuple[str, int]]:
        """What is in a folder there: names, and modes as stat(2) has them."""
        try:
            with self._client.open_sftp() as sftp:
                return sorted((entry.filename, entry.st_mode or 0) for entry in sftp.listdir_attr(place))
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ClusterError(f"{self.name}: {place} cannot be read: {error}") from None

    def forward(self, local_port: int, remote_port: int) -> "Forward":
        """A port of this machine's loopback becomes one of the host's. Close what is returned."""
        transport = self._client.get_transport()
        if transport is None:
            raise ClusterError(f"{self.name}: the connection is closed")
        return Forward(self.name, transport, local_port, remote_port)

    def _connect(self, settings: SshSettings) -> None:
        at = settings.host if settings.port == SSH_PORT else f"[{settings.host}]:{settings.port}"
        self._load_known(settings, at)
        try:
            with _agent_of(settings):
                self._client.connect(
                    settings.host,
                    port=settings.port,
                    username=settings.user,
                    # A list is what it takes, whatever its types say (its documentation of connect).
                    key_filename=[file for file in settings.key_files if Path(file).is_file()] or None,  # type: ignore[arg-type]
                    look_for_keys=not settings.key_files,
                    allow_agent=settings.agent != "",
                    timeout=CONNECT_TIMEOUT_S,
                    banner_timeout=CONNECT_TIMEOUT_S,
                    auth_timeout=CONNECT_TIMEOUT_S,
                    sock=self._jump.channel_to(settings.host, settings.port) if self._jump else None,
                )
        except paramiko.BadHostKeyException as error:
            raise ClusterError(
                f"{self.name}: its key is not the one in known_hosts ({error.key.get_name()}): is it the right host?"
                f" if so: ssh-keygen -R {at}"
            ) from None
        except paramiko.SSHException as error:
            # A user without any key at all is told by its words only.
            if isinstance(error, paramiko.AuthenticationException) or "No authentication methods" in str(error):
                tried = ", ".join(settings.key_files) or "the usual keys"
                raise ClusterError(
                    f"{self.name}: {settings.user} may not log in with {tried}: {error};"
                    f" does `ssh {settings.name}` work?"
                ) from None
            if "not found in known_hosts" in str(error):
                raise ClusterError(
                    f"{self.name}: the key of {at} is not known: check it and log in once with ssh, or"
                    f" ssh-keyscan {settings.host} >> ~/.ssh/known_hosts"
                ) from None
            raise ClusterError(f"{self.name}: no SSH with {at}: {error}") from None
        except (OSError, EOFError) as error:
            raise ClusterError(f"{self.name}: {at} cannot be reached: {error}") from None

    def _load_known(self, settings: SshSettings, at: str) -> None:
        self._client.set_missing_host_key_policy(paramiko.RejectPolicy())
        for file in settings.known_hosts:
            if Path(file).is_file():
                self._client.load_system_host_keys(file)
        if settings.known_as:
            known = paramiko.HostKeys()
            for file in settings.known_hosts:
                if Path(file).is_file():
                    known.load(file)
            for kind, key in (known.lookup(settings.known_as) or {}).items():
                self._client.get_host_keys().add(at, kind, key)

    def channel_to(self, host: str, port: int) -> paramiko.Channel:
        """A way through this host, for the next one."""
        transport = self._client.get_transport()
        if transport is None:
            raise ClusterError(f"{self.name}: the connection is closed")
        return transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=CONNECT_TIMEOUT_S)

    def _run(self, line: str, timeout_s: float, text_in: str) -> Done:
        stdin, stdout, stderr = self._client.exec_command(line, timeout=timeout_s)
        channel = stdout.channel
        errors: list[bytes] = []
        reader = threading.Thread(target=_keep_all, args=(stderr, errors), daemon=True)
        reader.start()  # both at once: one that is full would stop the program
        try:
            stdin.write(text_in)
            stdin.flush()
            channel.shutdown_write()
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


class Forward:
    """A port of this machine's loopback that leads to one of a host's."""

    def __init__(self, name: str, transport: paramiko.Transport, local_port: int, remote_port: int) -> None:
        """Listens at once; `port` says where, for a `local_port` of 0."""
        self._transport = transport
        self._remote = ("127.0.0.1", remote_port)
        try:
            self._listener = socket.create_server(("127.0.0.1", local_port))
        except OSError as error:
            raise ClusterError(f"{name}: port {local_port} of this machine cannot be had: {error.strerror}") from None
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stops listening. Harmless when repeated."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, peer = self._listener.accept()
                channel = self._transport.open_channel("direct-tcpip", self._remote, peer, timeout=CONNECT_TIMEOUT_S)
            except (OSError, paramiko.SSHException, EOFError):  # closed, or nobody listens there now
                if self._listener.fileno() < 0:
                    return
                client.close()
                continue
            threading.Thread(target=_relay, args=(client, channel), daemon=True).start()


@contextlib.contextmanager
def _agent_of(settings: SshSettings) -> Iterator[None]:
    """The agent that the settings name, where paramiko looks for it: it reads the environment and nothing else.

    One after the other meanwhile, since the environment is the whole process'.
    """
    if not settings.agent:
        yield
        return
    with _AGENT_LOCK:
        before = os.environ.get(AGENT_VARIABLE)
        os.environ[AGENT_VARIABLE] = settings.agent
        try:
            yield
        finally:
            del os.environ[AGENT_VARIABLE]
            if before is not None:
                os.environ[AGENT_VARIABLE] = before


def _relay(client: socket.socket, channel: paramiko.Channel) -> None:
    with client, channel:
        while True:
            ready, _, _ = select.select([client.fileno(), channel.fileno()], [], [])
            if client.fileno() in ready:
                if not (data := client.recv(READ_BYTES)):
                    return
                channel.sendall(data)
            if channel.fileno() in ready:
                if not (data := channel.recv(READ_BYTES)):
                    return
                client.sendall(data)


def _channel(sftp: paramiko.SFTPClient) -> paramiko.Channel:
    channel = sftp.get_channel()
    if channel is None:
        raise EOFError("the connection is closed")
    return channel
