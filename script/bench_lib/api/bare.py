"""The anchor: bare aiohttp that reads JSON and answers JSON, with nothing behind it."""

import asyncio
import sys

from aiohttp import web
import orjson

ANSWER = orjson.dumps({"answer": "x" * 400})


async def _get(_request: web.Request) -> web.Response:
    return web.Response(body=ANSWER, content_type="application/json")


async def _post(request: web.Request) -> web.Response:
    orjson.loads(await request.read())
    return web.Response(body=ANSWER, content_type="application/json", status=201)


async def serve() -> None:
    """Print the port and serve until standard input ends."""
    app = web.Application()
    app.router.add_get("/", _get)
    app.router.add_post("/", _post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(orjson.dumps({"port": runner.addresses[0][1]}).decode(), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        pass
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())
