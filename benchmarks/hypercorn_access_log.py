"""What hypercorn's access log costs a request: the call that makes the line, without a server.

    python benchmarks/hypercorn_access_log.py

CPU time of one call of `Logger.access`, the smallest of several takes. The environment counts: hypercorn copies all of
it into what a line may be made of, for each request.
"""

import asyncio
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypercorn.config import Config
from hypercorn.logging import Logger

TAKES = 7
CALLS = 2_000
VARIABLES = (30, 140)
"""In the environment: a login shell has about the first; a pod with a dozen services beside it, the second."""

SCOPE: Any = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": "/"} | {
    "query_string": b"id=7",
    "client": ("127.0.0.1", 50738),
    "headers": [(b"host", b"127.0.0.1:8000"), (b"user-agent", b"curl/7.88.1"), (b"accept", b"*/*")],
}
RESPONSE: Any = {"status": 200, "headers": [(b"content-length", b"5"), (b"content-type", b"text/plain")]}


async def call_us(access_log: Path, level: str) -> float:
    """Microseconds of CPU time that one call takes."""
    config = Config()
    config.accesslog, config.loglevel = str(access_log), level
    logger = Logger(config)
    takes = []
    for _ in range(TAKES):
        begin_s = time.process_time()
        for _ in range(CALLS):
            await logger.access(SCOPE, RESPONSE, 0.25)
        takes.append((time.process_time() - begin_s) / CALLS * 1e6)
    return min(takes)


def main() -> None:
    """Prints a line for each case."""
    with TemporaryDirectory() as folder:
        for variables in VARIABLES:
            os.environ.clear()
            os.environ.update({f"NAME_{number}": "some value" for number in range(variables)})
            for level in ("info", "warning"):
                us = asyncio.run(call_us(Path(folder) / "access.log", level))
                print(f"{variables} variables, --log-level {level}: {us:.0f} us a request")


if __name__ == "__main__":
    main()
