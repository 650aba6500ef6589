"""A server that Floodmark never saw: plain asyncio, no framework. `loop_server.py PORT HOLD_S [HOST]`."""

import asyncio
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\ndone\n"


async def main() -> None:
    """Serves until it is ended."""
    port, hold_s = int(sys.argv[1]), float(sys.argv[2])
    host = sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(hold_s)
        writer.write(ANSWER)
        writer.close()

    server = await asyncio.start_server(serve, host, port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
