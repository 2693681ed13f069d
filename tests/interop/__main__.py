"""Prints the table of `docs/how-to/interop.md`, with what each library does today: `python -m tests.interop`."""

from itertools import count

import anyio

from tests.interop.libraries import ALGORITHMS, PYTHON, NodeJose
from tests.interop.matrix import result, table
from tests.interop.node import installed
from tests.support.http_server import HttpServer, json_reply, serving


async def _print_table(server: HttpServer) -> None:
    numbers = count(1)

    def publish(jwks: object) -> str:
        path = f"/{next(numbers)}"
        server.route(path, json_reply(jwks))
        return server.url(path)

    packages = installed()
    with packages.run("jose.mjs") as program:
        libraries = (*PYTHON, NodeJose(packages, program))
        results = {
            library.name: [await result(library, algorithm, publish) for algorithm in ALGORITHMS]
            for library in libraries
        }
        print(table(results))  # noqa: T201 - what it is for
        print("\nWith", ", ".join(f"{library.name} {library.version()}" for library in libraries))  # noqa: T201


if __name__ == "__main__":
    with serving() as running:
        anyio.run(_print_table, running)
