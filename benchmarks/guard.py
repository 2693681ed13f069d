"""What does a guarded route cost? `python -m benchmarks.guard [--quick] [--json] [--uvloop]`.

P14: the time that `TokenBearer` adds to a FastAPI route, against that of PyJWT behind FastAPI's own `HTTPBearer`. The
application is called as a server calls it, without a server and without a client; `benchmarks.guard_served` has both.
"""

import sys
from collections.abc import Callable, Mapping, MutableMapping
from statistics import median
from typing import Any

from benchmarks.guard_app import application
from benchmarks.pyjwt import PyJWT
from benchmarks.question import ask
from benchmarks.report import Figure, Line, Plot, Report
from benchmarks.rounds import Sample, Scale, Subject, interleaved
from benchmarks.services import SESSION, service, tickets
from mintkey.keys.base import Algorithm

_TARGETS: Mapping[Algorithm, tuple[float, float]] = {"EdDSA": (0.75, 0.63), "RS256": (0.6, 0.45), "HS256": (0.35, 0.2)}


async def measure(scale: Scale) -> Report:
    """P14."""
    figures: list[Figure] = []
    added: dict[str, list[float]] = {"PyJWT and HTTPBearer": [], "mintkey": []}
    for algorithm, (must, aim) in _TARGETS.items():
        tokens, theirs = service(algorithm), PyJWT(algorithm)
        (token,) = await tickets(tokens, SESSION, 1)
        app = application(tokens, theirs)
        subjects = {
            "open": _requests(app, "/open", token),
            "ours": _requests(app, "/ours", token),
            "theirs": _requests(app, "/theirs", theirs.encode("0")),
        }
        samples = await interleaved(subjects, scale=scale)
        ours, pyjwt = _added(samples, "ours"), _added(samples, "theirs")
        ratio = median(mine / theirs for mine, theirs in zip(ours, pyjwt, strict=True))
        figures.append(Figure("P14", f"guard {algorithm}: added / PyJWT's", ratio, "x", must, aim, at_least=False))
        added["mintkey"].append(ratio * median(pyjwt) * 1e6)
        added["PyJWT and HTTPBearer"].append(median(pyjwt) * 1e6)
    lines = tuple(Line(name, tuple(_TARGETS), tuple(times)) for name, times in added.items())
    plot = Plot(
        "guard", "What a guard adds to a FastAPI route", "", "microseconds a request", lines, kind="bars", values=True
    )
    return Report(tuple(figures), (plot,))


def _requests(app: Callable[..., Any], path: str, token: str) -> Subject:
    """Requests one after the other, as an ASGI server would hand them over."""
    headers = [(b"host", b"app.example"), (b"accept", b"*/*"), (b"authorization", f"Bearer {token}".encode())]

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        assert message.get("status", 200) == 200  # noqa: PLR2004 - OK

    async def subject(calls: int) -> None:
        for _ in range(calls):
            scope = {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": "GET",
                "scheme": "http",
                "path": path,
                "raw_path": path.encode(),
                "query_string": b"",
                "root_path": "",
                "headers": headers,
                "client": ("127.0.0.1", 1),
                "server": ("127.0.0.1", 80),
            }
            await app(scope, receive, send)

    return subject


def _added(samples: Mapping[str, Sample], name: str) -> list[float]:
    """Seconds a request more than an open route takes, round by round."""
    return [guarded - bare for guarded, bare in zip(samples[name].seconds, samples["open"].seconds, strict=True)]


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
