"""One case of the corpus: a token, or what is handed over as one, and what has to become of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from mintkey import Purpose, Reason

__all__ = ["ACCEPTED", "CALLS", "LOGIN", "Case", "accepted", "refused"]

LOGIN = Purpose(
    "magic-login",
    lifetime=timedelta(minutes=10),
    audience=("myapp.web", "myapp.admin"),
    single_use=True,
    headers=("tenant", "x5t", "x5t#S256"),
)
"""What nearly all cases are tried against."""

CALLS = ("peek", "verify", "redeem", "revoke", "verify_compact")
"""Everything that takes a token from outside."""

ACCEPTED: Literal["accepted"] = "accepted"
_SAME: Literal["as the service"] = "as the service"

# What `verify_compact` refuses, too; of everything else it knows nothing.
_BARE = {
    Reason.MALFORMED,
    Reason.TOO_LARGE,
    Reason.HEADER_UNSUPPORTED,
    Reason.SIGNATURE_INVALID,
    Reason.ALGORITHM_MISMATCH,
}
# What does not keep anybody from revoking a token that he holds.
_REVOCABLE = {Reason.EXPIRED, Reason.NOT_YET_VALID, Reason.INSUFFICIENT_SCOPE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case.

    Attributes:
        name: Unique within its family, and the same for every algorithm that has it.
        token: What is handed over: nearly always a str.
        reason: Why it must be refused; None: it must be accepted.
        why: What somebody hopes for by it, or why it has to be accepted.
        claim: Which claim the error must name.
        purpose: What it is tried against.
        scopes: The scopes that the caller asks for.
        bare: What `verify_compact` must say, where that is not what the service says.
        is_typed: The purpose's type refuses the private claims, which `revoke` does not look at.
    """

    name: str
    token: Any
    reason: Reason | None
    why: str
    claim: str = ""
    purpose: Purpose[Any] = LOGIN
    scopes: Sequence[str] = ()
    bare: Reason | Literal["accepted", "as the service"] = _SAME
    is_typed: bool = False

    @property
    def verdict(self) -> Literal["accepted", "refused"]:
        return "accepted" if self.reason is None else "refused"

    def expected(self, call: str) -> Reason | Literal["accepted"]:
        """What one of the `CALLS` has to say."""
        if call == "verify_compact":
            if self.bare != _SAME:
                return self.bare
            return self.reason if self.reason in _BARE else ACCEPTED
        if (call == "redeem" and not self.purpose.single_use) or (call == "revoke" and not self.purpose.stateful):
            return Reason.CONFIGURATION  # the caller's mistake, told before anything of the token
        if self.reason is None or (call == "revoke" and (self.reason in _REVOCABLE or self.is_typed)):
            return ACCEPTED
        return self.reason


def refused(name: str, token: object, reason: Reason, why: str, **rest: Any) -> Case:
    """A case that must be refused."""
    return Case(name=name, token=token, reason=reason, why=why, **rest)


def accepted(name: str, token: object, why: str, **rest: Any) -> Case:
    """A case that must be accepted: a corpus of refusals alone cannot tell a strict verifier from a dead one."""
    return Case(name=name, token=token, reason=None, why=why, **rest)
