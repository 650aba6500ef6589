"""Locust's web UI on a master's host, asked over the SSH connection that stands. It knows no cluster."""

import json
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any

from paramiko import Channel, SSHException

from floodmark.core.errors import ClusterError
from floodmark_deploy.ssh_forward import LOOPBACK
from floodmark_deploy.ssh_host import SshHost

ASK_TIMEOUT_S = 5.0
"""Without a byte coming through: a master that carries a load may answer late."""


def ask_ui(host: SshHost, port: int, path: str, form: bytes | None = None) -> dict[str, Any]:
    """What it answers, as JSON; `form` makes it a POST. Raises `ClusterError` where it does not."""
    try:
        with host.channel_to(LOOPBACK, port) as way:
            said: dict[str, Any] = json.loads(_answer(way, path, form))
            return said
    except (OSError, EOFError, ValueError, HTTPException, SSHException) as error:
        why = str(error) or f"nothing came for {ASK_TIMEOUT_S:g} s"
        raise ClusterError(f"{host.name}: Locust's web UI does not answer: {why}") from None


def _answer(way: Channel, path: str, form: bytes | None) -> bytes:
    """The body. Raises `OSError` for a status that is an error."""
    way.settimeout(ASK_TIMEOUT_S)
    http = HTTPConnection(LOOPBACK)
    http.sock = way  # a channel has what it takes of a socket
    if form is None:
        http.request("GET", path)
    else:
        http.request("POST", path, form, {"Content-Type": "application/x-www-form-urlencoded"})
    answer = http.getresponse()
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise OSError(f"{path}: {answer.status} {answer.reason}")
    return answer.read()
