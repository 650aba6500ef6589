"""A server that answers one request in three, fails one and closes on the third. `moody_server.py PORT`."""

import itertools
import socket
import sys
import threading
import time

ANSWERS = (b"HTTP/1.0 200 OK\r\n\r\nok", b"HTTP/1.0 500 No\r\n\r\nno", b"")


def serve(connection: socket.socket, answer: bytes) -> None:
    """Reads one request, holds it half a second, and does what it is in the mood for."""
    with connection:
        connection.recv(65536)
        time.sleep(0.5)
        connection.sendall(answer)


def main() -> None:
    """A thread per connection."""
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=512) as listener:
        for answer in itertools.cycle(ANSWERS):
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, answer), daemon=True).start()


if __name__ == "__main__":
    main()
