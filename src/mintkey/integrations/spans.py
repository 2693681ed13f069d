"""The calls of a service as spans for OpenTelemetry.

A service that nobody instruments has nothing of this in its way: an object that somebody does gets a class of its own,
whose methods open a span and call those of the class that it had.
"""

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import wraps
from types import MappingProxyType, TracebackType
from typing import Any, TypeVar, cast

from opentelemetry.trace import Span, Status, StatusCode, Tracer, TracerProvider, get_tracer

from mintkey._version import __version__
from mintkey.errors import BackendError, MintkeyError, Reason
from mintkey.purpose import Purpose
from mintkey.refresh import RefreshFlow
from mintkey.tokens import VerifiedToken
from mintkey.verifier import TokenVerifier

__all__ = ["CALLS", "instrument"]

T = TypeVar("T", bound=TokenVerifier | RefreshFlow[Any])

CALLS: Mapping[type[Any], tuple[str, ...]] = MappingProxyType(
    {
        # Those of TokenService among them: a verifier has some of these.
        TokenVerifier: (
            "mint",
            "mint_many",
            "peek",
            "verify",
            "redeem",
            "revoke",
            "revoke_id",
            "revoke_subject",
        ),
        RefreshFlow: ("issue", "refresh", "revoke", "revoke_family"),
    }
)
"""The methods that get a span, named after them: all that sign, check a signature, or ask a store."""


def instrument(tokens: T, /, *, tracer_provider: TracerProvider | None = None) -> T:
    """The same service, verifier or refresh flow, each of whose calls is a span from now on.

    Spans are `mintkey.mint`, `.mint_many`, `.peek`, `.verify`, `.redeem`, `.revoke`, `.revoke_id` and
    `.revoke_subject`; of a flow `.issue`, `.refresh`, `.revoke` and `.revoke_family`. They are children of the current
    span, such as that of the request. `redeem` has two short ones, for the reservation and for its end
    (`mintkey.commit`, `mintkey.release`): what is between them is yours.

    Attributes are `mintkey.purpose`, `mintkey.count` of many mints, and `mintkey.reason` of a call that failed: closed
    sets, and never a subject, an id, a claim or a token. A bad token is no error of the service: a span has the status
    ERROR, and `error.type`, only if a backend is to blame. What `OpenTelemetryHook` notes is noted in these spans then.

    Instrumenting twice is as good as once.

    Args:
        tokens: A `TokenService`, a `TokenVerifier` or a `RefreshFlow`. A flow's calls are its own: instrument both.
        tracer_provider: Where spans go; by default the process's own, also if that is set later.

    Example:
        >>> from mintkey import TokenService
        >>> from mintkey.keys import MemoryKeyProvider
        >>> tokens = instrument(TokenService(issuer="https://myapp.example", keys=MemoryKeyProvider()))
        >>> isinstance(tokens, TokenService)
        True
    """
    kind = type(tokens)
    if not issubclass(kind, _Instrumented):
        tracer = get_tracer("mintkey", __version__, tracer_provider)
        names = (name for base, names in CALLS.items() if issubclass(kind, base) for name in names)
        methods = {name: _spanning(name, getattr(kind, name), tracer) for name in names if hasattr(kind, name)}
        described = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
        # A class of its own for the object: wrapped methods in the object itself would hold it in a cycle.
        whole: Any = tokens
        whole.__class__ = type(kind.__name__, (kind, _Instrumented), {**described, **methods})
    return tokens


class _Instrumented:
    """Whose calls are spans already."""


def _spanning(name: str, method: Callable[..., Any], tracer: Tracer) -> Callable[..., Any]:
    span = f"mintkey.{name}"

    @wraps(method)
    async def call(*args: Any, **options: Any) -> object:
        with _span(tracer, span, _purpose_of(args)) as opened:
            result = await cast("Awaitable[object]", method(*args, **options))
            if name == "mint_many":
                opened.set_attribute("mintkey.count", len(cast("list[object]", result)))
        return result

    @wraps(method)
    def enter(*args: Any, **options: Any) -> _Redeeming:
        return _Redeeming(method(*args, **options), tracer, _purpose_of(args))

    return enter if name == "redeem" else call


class _Redeeming(AbstractAsyncContextManager[VerifiedToken[Any]]):
    """A reservation with a span for its beginning and one for its end, and none around the work between them."""

    def __init__(self, reserved: AbstractAsyncContextManager[VerifiedToken[Any]], tracer: Tracer, purpose: str) -> None:
        self._reserved = reserved
        self._tracer = tracer
        self._purpose = purpose

    async def __aenter__(self) -> VerifiedToken[Any]:
        with _span(self._tracer, "mintkey.redeem", self._purpose):
            return await self._reserved.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> bool | None:
        if error is not None and not isinstance(error, Exception):  # cancelled: left to the lease, nothing is asked
            return await self._reserved.__aexit__(kind, error, traceback)
        end = "mintkey.commit" if error is None else "mintkey.release"
        with _span(self._tracer, end, self._purpose):
            return await self._reserved.__aexit__(kind, error, traceback)


@contextmanager
def _span(tracer: Tracer, name: str, purpose: str) -> Generator[Span, None, None]:
    # Neither exceptions nor their messages are recorded: those of a backend are for logs, with their cause.
    with tracer.start_as_current_span(
        name, attributes={"mintkey.purpose": purpose}, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except MintkeyError as error:
            reason = error.reason.value
            span.set_attribute("mintkey.reason", reason)
            # Somebody else is spending the token: that is how it should be.
            if isinstance(error, BackendError) and error.reason is not Reason.TOKEN_RESERVED:
                span.set_attribute("error.type", reason)
                span.set_status(Status(StatusCode.ERROR, reason))
            raise


def _purpose_of(args: tuple[Any, ...]) -> str:
    """The name of the purpose that a call is about: an argument's, or that of the flow whose method it is."""
    found = next((part.name for part in args if isinstance(part, Purpose)), None)
    return getattr(args[0], "purpose", "") if found is None else found  # without any, the call itself complains
