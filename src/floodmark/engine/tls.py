"""TLS over a non-blocking socket, with a socket's methods. HTTP and waiting are others' business."""

import ssl
from _socket import socket
from collections.abc import Callable
from functools import lru_cache

RAW_READ_BYTES = 65_536
"""Four TLS records of the largest size (RFC 8446, section 5.1)."""


@lru_cache(maxsize=2)  # making one reads every authority of the host
def tls_context(*, verify: bool) -> ssl.SSLContext:
    """What all connections of a process share. It checks certificate and host name, unless `verify` is False."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def words_of(error: ssl.SSLError) -> str:
    """What went wrong with TLS, in OpenSSL's words."""
    return getattr(error, "verify_message", None) or error.reason or str(error)


class TlsSocket:
    """Encrypts what is sent and decrypts what is received. The handshake is done on the way, by either.

    `send` and `recv` raise `BlockingIOError` where the socket has to come first, `ssl.SSLError` where TLS fails, and
    the socket's own `OSError`. `connected_s` is when the kernel took the first bytes, on `clock`: TCP is connected
    then, and the handshake begins, which may be over within the same call. None until then.
    """

    def __init__(
        self, opened: socket, context: ssl.SSLContext, server_name: str | None, clock: Callable[[], float]
    ) -> None:
        self.connected_s: float | None = None
        self._clock = clock
        self._socket = opened
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._is_ready = False
        self._unsent = b""
        self._taken_bytes = 0  # of plain bytes that are encrypted already and not all with the kernel

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def getsockname(self) -> tuple[str | int, ...]:
        """The socket's own address."""
        name: tuple[str | int, ...] = self._socket.getsockname()
        return name

    def send(self, data: bytes) -> int:
        """Sends all of `data` or raises; called again with the same `data`, it goes on."""
        self._shake_hands()
        if not self._taken_bytes:
            self._taken_bytes = self._tls.write(data)
        self._flush()
        sent_bytes, self._taken_bytes = self._taken_bytes, 0
        return sent_bytes

    def recv(self, limit_bytes: int) -> bytes:
        """Up to `limit_bytes` of plain bytes; none where the peer sends no more."""
        self._shake_hands()
        while True:
            try:
                data = self._tls.read(limit_bytes)
            except ssl.SSLWantReadError:
                self._fill()
                continue
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            return data

    def close(self) -> None:
        """Closes the socket; no word of goodbye is sent."""
        self._socket.close()

    def _shake_hands(self) -> None:
        while not self._is_ready:
            try:
                self._tls.do_handshake()
                self._is_ready = True
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLError:
                self._say_why()
                raise

    def _say_why(self) -> None:
        """Sends the alert, so that the peer's log says it too; the error is raised either way."""
        try:
            self._flush()
        except OSError:
            return

    def _flush(self) -> None:
        """Hands everything that is encrypted to the kernel, or raises."""
        while self._outgoing.pending or self._unsent:
            self._unsent = self._unsent or self._outgoing.read()
            count = self._socket.send(self._unsent)
            if self.connected_s is None:
                self.connected_s = self._clock()
            self._unsent = self._unsent[count:]

    def _fill(self) -> None:
        """Takes what the kernel has, or raises."""
        data = self._socket.recv(RAW_READ_BYTES)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


def connected_at(opened: socket | TlsSocket, now_s: float) -> float:
    """When a connection that sends was there: of a plain one now, of TLS before its handshake."""
    before_s = opened.connected_s if isinstance(opened, TlsSocket) else None
    return now_s if before_s is None else before_s
