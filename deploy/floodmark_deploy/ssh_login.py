"""Logs in to one host over SSH: by known keys of hosts only, with the user's keys and agent. It runs nothing there."""

import contextlib
import os
import shlex
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
from paramiko.hostkeys import InvalidHostKey

from floodmark.core.errors import ClusterError
from floodmark_deploy.ssh_settings import SSH_PORT, SshSettings

CONNECT_TIMEOUT_S = 15.0
"""TCP, the exchange of keys, and logging in have this each."""

AGENT_VARIABLE = "SSH_AUTH_SOCK"
_AGENT_LOCK = threading.Lock()

KEY_KINDS = (paramiko.RSAKey, paramiko.ECDSAKey, paramiko.Ed25519Key)
"""Those that paramiko tries."""

USUAL_KEYS = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")
"""Those that it looks for where ssh_config names none."""

SHOWN = 40
"""How much of a line an error repeats."""

Way = Callable[[str, int], paramiko.Channel]


def log_in(client: paramiko.SSHClient, settings: SshSettings, way: Way | None) -> None:
    """Connects, by `way` of another host where there is one. Raises `ClusterError` with the reason and its remedy."""
    try:
        _load_known(client, settings)
        with _agent_of(settings):
            client.connect(
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
                sock=way(settings.host, settings.port) if way else None,
            )
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise ClusterError(f"{settings.name}: {_why(client, settings, error)}") from None


def _why(client: paramiko.SSHClient, settings: SshSettings, error: Exception) -> str:
    match error:
        case paramiko.BadHostKeyException():
            kind = error.key.get_name()
            return (
                f"its key is not the one in known_hosts ({kind}): is it the right host? if so: ssh-keygen -R"
                f" {shlex.quote(settings.known_place)}"
            )
        case paramiko.SSHException():
            return _refused(client, settings, error)
        case _:
            return f"{settings.known_place} cannot be reached: {error}"


def _refused(client: paramiko.SSHClient, settings: SshSettings, error: paramiko.SSHException) -> str:
    """What SSH says no to. Of a key that the host does not take paramiko's last word may be that it is of one kind."""
    if "not found in known_hosts" in str(error):
        port = "" if settings.port == SSH_PORT else f" -p {settings.port}"
        return (
            f"the key of {settings.known_place} is not known: check it and log in once with ssh, or"
            f" ssh-keyscan{port} {settings.host} >> ~/.ssh/known_hosts"
        )
    if isinstance(error, paramiko.AuthenticationException):
        return _no_login(settings, str(error))
    if _has_met(client):
        return _no_login(settings, "the host takes none of them")
    return f"no SSH with {settings.known_place}: {error}"


def _has_met(client: paramiko.SSHClient) -> bool:
    """Whether the host has shown its key, so that what is left is to log in."""
    transport = client.get_transport()
    try:
        return transport is not None and transport.get_remote_server_key() is not None
    except paramiko.SSHException:
        return False


def _no_login(settings: SshSettings, why: str) -> str:
    """A key with a passphrase needs an agent: of several hosts at once nobody can type one."""
    who = f"{settings.user} may not log in with {', '.join(settings.key_files) or 'the usual keys'}"
    locked = [file for file in settings.key_files or map(_expanded, USUAL_KEYS) if _has_passphrase(file)]
    if not locked:
        return f"{who}: {why}; does `ssh {settings.name}` work?"
    remedy = f"ssh-add {shlex.join(locked)}"
    if settings.agent == "":
        remedy = "its ssh_config has IdentityAgent none: name an agent there, or a key without a passphrase"
    return f"{who}: {', '.join(locked)} has a passphrase, and no agent has that key: {remedy}"


def _has_passphrase(file: str) -> bool:
    for kind in KEY_KINDS:
        try:
            kind.from_private_key_file(file)
        except paramiko.PasswordRequiredException:
            return True
        except (paramiko.SSHException, OSError, ValueError):  # of another kind, or not there
            continue
    return False


def _expanded(file: str) -> str:
    return str(Path(file).expanduser())


def _load_known(client: paramiko.SSHClient, settings: SshSettings) -> None:
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    files = [file for file in settings.known_hosts if Path(file).is_file()]
    for file in files:
        try:
            client.load_system_host_keys(file)
        except InvalidHostKey as error:
            words = f"{file} has a line that is no host's key: {error.line[:SHOWN]!r}...: correct it, or take it out"
            raise ClusterError(f"{settings.name}: {words}") from None
    if settings.known_as:
        known = paramiko.HostKeys()
        for file in files:
            known.load(file)
        for kind, key in (known.lookup(settings.known_as) or {}).items():
            client.get_host_keys().add(settings.known_place, kind, key)


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
