"""A server that prints who connects, and speaks TLS where it is given a certificate. No framework.

seen_server.py PORT HOLD_S CERTIFICATE [HOST]; an empty CERTIFICATE: plain HTTP.
"""

import asyncio
import ssl
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndone\n"


async def main() -> None:
    """Serves until it is ended, and keeps connections alive."""
    port, hold_s, certificate, host = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4]
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sys.stdout.write(f"from {writer.get_extra_info('peername')[0]}\n")
        sys.stdout.flush()
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(hold_s)
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    server = await asyncio.start_server(serve, host, port, backlog=2048, ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
