"""The rules that the books of a soak must keep; each yields what breaks it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import inf

from mintkey import Reason
from tests.soak.books import Books, Call, Minted
from tests.soak.fleet import CAP, GRACE, LEASE, LEEWAY, LOOKS_EVERY, TOLERANCE

__all__ = ["RULES", "WORKS_AGAIN", "breaches"]

_UNPROVABLE = 7.0
"""Seconds behind the moment in which a loss is seen, before which what was issued is unprovable: see `marks`."""

_BUSY = 3.0
"""Seconds that a busy machine may be late."""

_BACKEND = {
    Reason.KEYS_UNAVAILABLE,
    Reason.SIGNING_FAILED,
    Reason.ROTATION_CONFLICT,
    Reason.REPLAY_UNAVAILABLE,
    Reason.REPLAY_OUTCOME_UNKNOWN,
}
_NOTHING_SAID = {None, "granted", "good", "given back", "cancelled", *_BACKEND}
"""Outcomes that say nothing against a token."""


WORKS_AGAIN = ("mint", "verify", "redeem", "peek", "refresh", "use")
"""Calls that must have gone well when nothing is wrong any more."""


def breaches(books: Books) -> list[str]:
    """Everything that breaks a rule, and which."""
    return [f"{rule.__name__}: {breach}" for rule in RULES for breach in rule(books)]


def one_grant(books: Books) -> Iterator[str]:
    """No token of single use is granted twice."""
    for token, calls in books.by_token("verify", "redeem").items():
        if books.minted[token].purpose == "once" and sum(call.outcome == "granted" for call in calls) > 1:
            yield f"{token} was granted to {[call.said['call'] for call in calls if call.outcome == 'granted']}"


def one_block_at_a_time(books: Books) -> Iterator[str]:
    """Nobody gets in while somebody is in whose lease has not run out."""
    for token, calls in books.by_token("redeem").items():
        inside = sorted((call for call in calls if call.entered is not None), key=lambda call: call.entered or 0.0)
        for first, second in pairwise(inside):
            held_until = min(first.began + LEASE.total_seconds(), first.left, first.ended)
            if (second.entered or inf) < held_until:
                yield f"{token} let two in at the same time"


def refusals_have_causes(books: Books) -> Iterator[str]:
    """Whatever is said against a token is true: spent, revoked, expired, its key revoked, or the memory was lost."""
    is_said = _Causes(books)
    for call in books.of_kind("verify", "redeem", "peek"):
        if call.outcome not in _NOTHING_SAID and not is_said.rightly(call, books.minted[call.token]):
            yield f"{call.what} of {call.token} by {call.said['call']} said {call.outcome}"
    for call in books.of_kind("use"):
        token = Minted(call.token, "access", call.said["kid"], call.said["at"], call.said["exp"], call.began)
        if call.outcome not in _NOTHING_SAID and not is_said.rightly(call, token):
            yield f"{call.what} of {call.token} by {call.said['call']} said {call.outcome}"


def nothing_is_granted_late(books: Books) -> Iterator[str]:
    """Nobody gets in with a token that was expired when he asked."""
    for call in books.of_kind("verify", "redeem", "peek"):
        if call.outcome == "granted" and call.began > books.minted[call.token].exp + LEEWAY.total_seconds():
            yield f"{call.token} was granted to {call.said['call']} when it had expired"


def revoked_stays_revoked(books: Books) -> Iterator[str]:
    """Nobody gets in with a token that was revoked before he asked."""
    revoked: dict[str, float] = {}
    for call in books.of_kind("revoke"):
        if call.outcome == "good":
            revoked[call.token] = min(call.ended, revoked.get(call.token, inf))
    for call in books.of_kind("verify", "redeem", "peek"):
        if call.outcome == "granted" and call.began > revoked.get(call.token, inf):
            yield f"{call.token} was granted to {call.said['call']} when it had been revoked"


def revoked_keys_stay_revoked(books: Books) -> Iterator[str]:
    """Nobody gets in with a key that was revoked, as soon as everybody must have looked, unless that was forgotten."""
    revoked: dict[str, float] = {}
    for call in books.of_kind("revoke key"):
        known = call.ended + (TOLERANCE + LOOKS_EVERY).total_seconds() + 1
        if call.outcome == "good" and not any(begin < known and end > call.began for begin, end in books.losses):
            revoked[call.said["kid"]] = min(known, revoked.get(call.said["kid"], inf))
    for call in books.of_kind("verify", "redeem", "peek"):
        if call.outcome == "granted" and call.began > revoked.get(books.minted[call.token].kid, inf):
            yield f"{call.token} was granted to {call.said['call']} when its key had been revoked"


def no_key_signs_beyond_its_cap(books: Books) -> Iterator[str]:
    """The cap holds for the whole fleet, through everything."""
    for kid, count in Counter(token.kid for token in books.minted.values()).items():
        if count > CAP:
            yield f"{kid} signed {count} tokens"


def everything_is_accounted_for(books: Books) -> Iterator[str]:
    """It is known of every token of single use what became of it."""
    count = books.fates()["unaccounted for"]
    if count:
        yield f"of {count} tokens nobody knows what became of them"


def sessions_are_lines(books: Books) -> Iterator[str]:
    """A refresh token leads to one other, whoever asks how often, and to none when its session was ended."""
    got: dict[str, set[str]] = defaultdict(set)
    first = dict[str, float]()
    ended = {call.said["family"]: call.ended for call in books.of_kind("sign out") if call.outcome == "good"}
    begun = {call.said["family"]: call.began for call in books.of_kind("sign out")}
    for call in books.of_kind("refresh"):
        asked = call.began - first.setdefault(call.token, call.began)
        is_late = asked + (min(call.ended, call.began + 60) - call.began) >= GRACE.total_seconds()
        match call.outcome:
            case "granted":
                got[call.token].add(call.answer["got"])
                if call.began > ended.get(call.said["family"], inf):
                    yield f"the session of {call.token} went on when it had been ended"
            case Reason.REPLAYED if not is_late:
                yield f"{call.token} was called a replay within its grace"
            case Reason.REVOKED if not is_late and begun.get(call.said["family"], inf) > call.ended:
                yield f"the session of {call.token} ended, and nobody ended it"
    for token, successors in got.items():
        if len(successors) > 1:
            yield f"{token} led to {len(successors)} tokens"


def everybody_recovers(books: Books) -> Iterator[str]:
    """When nothing is wrong any more, everything works again."""
    well_since = max((call.ended for call in books.of_kind("fault", "loss") if call.ended < inf), default=-inf)
    after = [call for call in books.calls if call.began > well_since]
    for what in WORKS_AGAIN:
        if not any(call.what == what and call.outcome in {"good", "granted"} for call in after):
            yield f"no {what} went well behind the last fault"


class _Causes:
    """Why a token may be refused."""

    def __init__(self, books: Books) -> None:
        self._losses = books.losses
        self._uses = books.by_token("verify", "redeem")
        self._revoked = _earliest(books.of_kind("revoke"), "token")
        self._being_revoked = {call.token: call.ended for call in sorted(books.of_kind("revoke"), key=_end)}
        self._keys_revoked = _earliest(books.of_kind("revoke key"), "kid")

    def rightly(self, call: Call, token: Minted) -> bool:
        """Whether what was said against a token is true."""
        expired = token.exp + LEEWAY.total_seconds()
        match call.outcome:
            case Reason.EXPIRED:
                is_true = call.ended >= expired
            case Reason.REVOKED:
                is_true = self._revoked.get(token.id, inf) < call.ended
            case Reason.KEY_REVOKED:
                is_true = self._keys_revoked.get(token.kid, inf) < call.ended
            case Reason.REPLAYED:
                is_true = self._is_used_by_another(call)
            case Reason.TOKEN_RESERVED:
                is_true = any(one.what == "redeem" and one.began < call.ended for one in self._others(call))
            case Reason.REPLAY_UNPROVABLE:
                is_true = any(
                    begin < call.ended and token.iat < end + _UNPROVABLE + _BUSY for begin, end in self._losses
                )
            case Reason.KEY_UNKNOWN:
                # The ring of a server without memory is begun anew, until somebody looks who still holds the old one.
                is_lost = any(begin < call.ended and call.began < end + _BUSY for begin, end in self._losses)
                is_true = is_lost or call.ended > expired
            case Reason.KEY_RETIRED:
                is_true = call.ended > expired
            case _:
                is_true = False
        return is_true

    def _is_used_by_another(self, call: Call) -> bool:
        # Who spends, does not hear of it and asks again may hear of a revocation that came in between.
        return any(
            one.began < call.ended
            and (
                one.may_have_spent
                or (one.outcome == Reason.REVOKED and one.began < self._being_revoked.get(one.token, -inf))
            )
            for one in self._others(call)
        )

    def _others(self, call: Call) -> list[Call]:
        return [one for one in self._uses.get(call.token, ()) if one is not call]


def _end(call: Call) -> float:
    return call.ended


def _earliest(calls: list[Call], what: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for call in calls:
        found.setdefault(call.said[what], call.began)
    return found


RULES: tuple[Callable[[Books], Iterator[str]], ...] = (
    one_grant,
    one_block_at_a_time,
    refusals_have_causes,
    nothing_is_granted_late,
    revoked_stays_revoked,
    revoked_keys_stay_revoked,
    no_key_signs_beyond_its_cap,
    everything_is_accounted_for,
    sessions_are_lines,
    everybody_recovers,
)
