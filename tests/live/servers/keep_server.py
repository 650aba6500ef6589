"""A server that keeps its connections, over TLS where it is given a certificate. It prints who connects.

keep_server.py PORT HOLD_S CERTIFICATE|- [HOST]
"""

import asyncio
import resource
import ssl
import sys
from contextlib import suppress

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndone\n"


async def main() -> None:
    """Serves until it is ended."""
    port, hold_s, certificate = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    host = sys.argv[4] if len(sys.argv) > 4 else "127.0.0.1"
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    context = None
    if certificate != "-":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sys.stdout.write(f"{writer.get_extra_info('peername')[0]}\n")
        sys.stdout.flush()
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(hold_s)
                writer.write(ANSWER)
        writer.close()

    server = await asyncio.start_server(serve, host, port, backlog=16384, ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
