"""The libraries, a server that publishes their keys and ours, and a real OpenID provider."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest

from tests.interop.libraries import PYTHON, Joserfc, Library, NodeJose
from tests.interop.node import NodePackages, installed
from tests.interop.oidc_provider import OidcProvider
from tests.support.http_server import HttpServer, json_reply, serving


@pytest.fixture(scope="session")
def server() -> Iterator[HttpServer]:
    """In a thread of its own: other libraries block."""
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def publish(server: HttpServer) -> Callable[[Mapping[str, Any]], str]:
    """Serves a JWK Set at a path of its own."""
    numbers = count(1)

    def at_next_path(jwks: Mapping[str, Any]) -> str:
        path = f"/{next(numbers)}/jwks.json"
        server.route(path, json_reply(jwks))
        return server.url(path)

    return at_next_path


@pytest.fixture(scope="session")
def node_packages() -> NodePackages:
    return installed()


@pytest.fixture(scope="session")
def node_jose(node_packages: NodePackages) -> Iterator[NodeJose]:
    with node_packages.run("jose.mjs") as program:
        yield NodeJose(node_packages, program)


@pytest.fixture(params=[*(library.name for library in PYTHON), NodeJose.name])
def library(request: pytest.FixtureRequest) -> Library:
    """Each of them in turn."""
    return _by_name(request)


@pytest.fixture(params=[Joserfc.name, NodeJose.name])
def newer_library(request: pytest.FixtureRequest) -> Library:
    """Those that know what RFC 9864 calls EdDSA."""
    return _by_name(request)


def _by_name(request: pytest.FixtureRequest) -> Library:
    if request.param == NodeJose.name:
        node: Library = request.getfixturevalue("node_jose")
        return node
    return next(library for library in PYTHON if library.name == request.param)


@pytest.fixture
def start_provider(node_packages: NodePackages) -> Iterator[Callable[..., OidcProvider]]:
    """Starts OpenID providers, which end with the test."""
    with ExitStack() as running:

        def start(algorithm: str = "RS256", **clients: Mapping[str, Any]) -> OidcProvider:
            return OidcProvider(running.enter_context(node_packages.run("provider.mjs")), algorithm, clients)

        yield start
