"""A port of this machine's loopback that leads to one of a host's, over one that stands. It logs in nowhere."""

import contextlib
import select
import socket
import threading

import paramiko

from floodmark.core.errors import ClusterError

LOOPBACK = "127.0.0.1"

OPEN_TIMEOUT_S = 15.0
"""For the host to take a connection."""

LOOK_EVERY_S = 1.0
"""Whether it is closed: where a system does not wake up who waits at a listening socket, that is seen then."""

READ_BYTES = 65_536


class Forward:
    """Listens until it is closed; each connection has a thread of its own."""

    def __init__(self, name: str, transport: paramiko.Transport, local_port: int, remote_port: int) -> None:
        """Listens at once; `port` says where, for a `local_port` of 0. Raises `ClusterError` for one that is taken."""
        self._transport = transport
        self._remote = (LOOPBACK, remote_port)
        try:
            self._listener = socket.create_server((LOOPBACK, local_port))
        except OSError as error:
            raise ClusterError(
                f"{name}: port {local_port} of this machine cannot be had: {error.strerror}: give another --port"
            ) from None
        self._listener.settimeout(LOOK_EVERY_S)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops listening: a close alone would leave who waits there, and with it the port. Harmless when repeated."""
        with contextlib.suppress(OSError):  # closed already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(LOOK_EVERY_S)

    def _serve(self) -> None:
        while self._listener.fileno() >= 0:
            try:
                client, peer = self._listener.accept()
            except (TimeoutError, ConnectionAbortedError):
                continue
            except OSError:  # closed, or this process may open no more
                return
            self._lead(client, peer)

    def _lead(self, client: socket.socket, peer: tuple[str, int]) -> None:
        try:
            channel = self._transport.open_channel("direct-tcpip", self._remote, peer, timeout=OPEN_TIMEOUT_S)
        except (OSError, paramiko.SSHException, EOFError):  # nobody listens there now
            client.close()
            return
        threading.Thread(target=_relay, args=(client, channel), daemon=True).start()


def _relay(client: socket.socket, channel: paramiko.Channel) -> None:
    with client, channel, contextlib.suppress(OSError, paramiko.SSHException, EOFError):  # one of both is gone
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
