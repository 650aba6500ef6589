"""A server that Floodmark never saw: a fixed pool of threads behind one accepting thread. No header, no middleware.

pool_server.py PORT THREADS HOLD_S [HOST]
"""

import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ANSWER = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\ndone\n"


def serve(connection: socket.socket, hold_s: float) -> None:
    """Reads one request, holds it, answers, closes."""
    with connection:
        connection.recv(65536)
        time.sleep(hold_s)
        connection.sendall(ANSWER)


def main() -> None:
    """Accepts everything at once; the others wait in the pool's queue."""
    port, threads, hold_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    host = sys.argv[4] if len(sys.argv) > 4 else "127.0.0.1"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, port), family=family, backlog=2048) as listener,
        ThreadPoolExecutor(threads) as pool,
    ):
        while True:
            connection, _ = listener.accept()
            pool.submit(serve, connection, hold_s)


if __name__ == "__main__":
    main()
