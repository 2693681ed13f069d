"""Tries cases by every call there is, and notes whatever is not as it has to be."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from mintkey import MintkeyError, Reason, TokenVerifier, VerificationCache
from mintkey.events import Event, Rejected
from mintkey.jose import verify_compact
from mintkey.keys import KeyResolver, StaticKeyProvider, StaticKeyResolver
from mintkey.replay import ClaimOutcome, ClaimStatus
from mintkey.testing import FakeClock
from tests.security.attacks.case import ACCEPTED, CALLS, Case
from tests.security.attacks.forge import ISSUER, NOW, Forge

__all__ = ["Trial", "Witness", "keys_of"]

_WINDOW = 9
_LEAKABLE = 20_000


class Witness:
    """A replay store that accepts everything, and remembers whether it was asked to change anything."""

    def __init__(self) -> None:
        self.changes: list[str] = []

    async def claim(
        self, key: str, /, *, owner: str, issued_at: datetime, expires_at: datetime, lease: timedelta | None = None
    ) -> ClaimOutcome:
        self.changes.append("claim" if lease is None else "reserve")
        return ClaimOutcome.ACCEPTED

    async def commit(self, key: str, /, *, owner: str, expires_at: datetime) -> bool:
        self.changes.append("commit")
        return True

    async def release(self, key: str, /, *, owner: str) -> bool:
        self.changes.append("release")
        return True

    async def revoke(self, key: str, /, *, expires_at: datetime) -> None:
        self.changes.append("revoke")

    async def status(self, key: str, /, *, issued_at: datetime) -> ClaimStatus:
        return ClaimStatus.UNUSED

    async def aclose(self) -> None:
        pass


_CHANGES: Mapping[str, list[list[str]]] = {
    "peek": [[]],
    "verify": [["claim"]],
    "redeem": [["reserve", "commit"]],
    "revoke": [["revoke"], []],
}
"""What a store may be asked for by an accepted token; an expired one need not be revoked."""


def keys_of(forge: Forge) -> KeyResolver:
    """The key and another one of its kind: what a verifier has that knows both."""
    if forge.is_symmetric:
        return StaticKeyProvider({"keys": [forge.key.private_jwk, forge.other.private_jwk]}, active=forge.key.kid)
    return StaticKeyResolver({"keys": [forge.key.public_jwk, forge.other.public_jwk]})


class Trial:
    """A verifier of one algorithm, and the cases that are brought before it.

    Args:
        forge: Whose tokens are tried.
        keys: What finds keys; by default both of the forge.
        cache: For purposes that are not for single use.
    """

    def __init__(self, forge: Forge, keys: KeyResolver | None = None, cache: VerificationCache | None = None) -> None:
        self.forge = forge
        self.witness = Witness()
        self.events: list[Event] = []
        self.tokens = TokenVerifier(
            issuer=ISSUER,
            keys=keys_of(forge) if keys is None else keys,
            replay=self.witness,
            clock=FakeClock(datetime.fromtimestamp(NOW, UTC)),
            hooks=[self.events.append],
            cache=cache,
        )
        self.executions = 0
        self._texts: set[str] = set()

    async def objections(self, cases: Sequence[Case], calls: Iterable[str] = CALLS) -> list[str]:
        """Everything that is not as it must be, in words; nothing, if all is well."""
        return [objection for call in calls for case in cases for objection in await self._try(call, case)]

    async def _try(self, call: str, case: Case) -> list[str]:
        self.executions += 1
        self.witness.changes.clear()
        self.events.clear()
        expected = case.expected(call)
        try:
            said = await self._say(call, case)
        except MintkeyError as error:
            outcome: object = error.reason
            problems = self._wrong_with_refusal(call, case, error)
        except Exception as error:  # noqa: BLE001 - whatever else comes out is what this is about
            return [f"{case.name}: {call} let {type(error).__name__} out"]
        else:
            outcome = ACCEPTED
            problems = self._wrong_with_acceptance(call, case, said)
        if outcome != expected:
            return [f"{case.name}: {call} says {outcome}, not {expected}"]
        return [f"{case.name}: {call} {problem}" for problem in problems]

    async def _say(self, call: str, case: Case) -> Any:
        if call == "verify_compact":
            return verify_compact(case.token, self.forge.jwk, algorithms=[self.forge.algorithm])
        if call == "revoke":
            return await self.tokens.revoke(case.token, case.purpose)
        if call == "redeem":
            async with self.tokens.redeem(case.token, case.purpose, scopes=case.scopes) as used:
                return used
        ask = self.tokens.peek if call == "peek" else self.tokens.verify
        return await ask(case.token, case.purpose, scopes=case.scopes)

    def _wrong_with_refusal(self, call: str, case: Case, error: MintkeyError) -> Iterator[str]:
        if self.witness.changes:
            yield f"refuses, and the store was asked to {self.witness.changes}"
        if case.claim and call != "verify_compact" and getattr(error, "claim", "") != case.claim:
            yield f"does not blame {case.claim}"
        if error.reason not in type(error).reasons:
            yield f"has a {type(error).__name__} with a reason of another class"
        if error.reason is Reason.CONFIGURATION:
            return
        refusals = [event.reason for event in self.events if isinstance(event, Rejected)]
        if call != "verify_compact" and (refusals != [error.reason] or len(self.events) != 1):
            yield f"tells hooks {self.events}"
        yield from self._leaks(case, error)

    def _wrong_with_acceptance(self, call: str, case: Case, said: Any) -> Iterator[str]:
        if call == "verify_compact":
            if said != _payload(case.token):
                yield "returns another payload"
            return
        allowed = _CHANGES[call] if case.purpose.single_use else [[]]
        if self.witness.changes not in allowed:
            yield f"accepts, and the store was asked to {self.witness.changes}"
        if any(isinstance(event, Rejected) for event in self.events):
            yield "accepts, and tells hooks otherwise"
        if call != "revoke":
            yield from _misread(case, said)

    def _leaks(self, case: Case, error: MintkeyError) -> Iterator[str]:
        """Whatever nine characters of the token an error has in it, or in an error that it comes from."""
        errors: list[BaseException] = [error]
        for one in errors:
            errors += [other for other in (one.__cause__, one.__context__) if other is not None and other not in errors]
            for text in {str(one), *map(repr, one.args), *getattr(one, "__notes__", ()), *_values_of(one)}:
                # A text that came up for another token already, and was none of it, is none of this one.
                if text not in self._texts:
                    self._texts.add(text)
                    yield from (f"shows {part!r} of the token in {type(one).__name__}" for part in _shared(case, text))


def _values_of(error: BaseException) -> Iterator[str]:
    """What an error of ours carries beside its message; for others, whatever they have."""
    if isinstance(error, MintkeyError):
        yield from (str(error.details), str(getattr(error, "claim", "")))
    else:
        yield from map(repr, vars(error).values())


def _shared(case: Case, text: str) -> Iterator[str]:
    """Nine characters that are in the text and in the token, and that the caller did not say himself."""
    hay = _everything_in(case.token)
    known = " ".join((*case.scopes, *case.purpose.audience, ISSUER, repr(case.purpose), case.claim))
    for start in range(len(text) - _WINDOW + 1):
        window = text[start : start + _WINDOW]
        if window in hay and window not in known:
            yield window
            return


def _payload(token: str) -> bytes:
    segment = token.split(".")[1]
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _everything_in(token: object) -> str:
    """The token and what its segments say; of very long ones the beginning."""
    text = str(token)[:_LEAKABLE]
    said = [text]
    for segment in text.split(".")[:3]:
        if segment.isascii():
            try:
                said.append(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)).decode("utf-8", "replace"))
            except ValueError:
                continue
    return "\n".join(said)


def _misread(case: Case, said: Any) -> Iterator[str]:
    """Compares what a token was found to say with what another reader finds in it."""
    claims = json.loads(_payload(case.token))
    audience = claims.get("aud", [])
    facts = {
        "issuer": (said.issuer, claims["iss"]),
        "subject": (said.subject, claims.get("sub")),
        "id": (said.id, claims["jti"]),
        "audience": (said.audience, (audience,) if isinstance(audience, str) else tuple(audience)),
        "issued_at": (said.issued_at.timestamp(), claims["iat"]),
        "expires_at": (said.expires_at.timestamp(), claims["exp"]),
        "scopes": (said.scopes, frozenset(claims.get("scope", "").split())),
        "purpose": (said.purpose, case.purpose.name),
    }
    if case.purpose.claims is dict:
        registered = {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope"}
        private = {name: value for name, value in claims.items() if name not in registered}
        # As text: 1 and 1.0 and True are equal, and are not the same.
        facts["claims"] = (json.dumps(said.claims), json.dumps(private))
    for name, (found, written) in facts.items():
        if found != written:
            yield f"reads another {name}"
