"""What a soak wrote down, as it is audited: tokens, calls, losses, and what became of each token."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from mintkey import Reason
from tests.soak.diary import Entry

__all__ = ["Books", "Call", "Minted"]

_IN_DOUBT = {None, "granted", "cancelled", Reason.REPLAY_OUTCOME_UNKNOWN}


@dataclass(frozen=True)
class Minted:
    """A token that some process got."""

    id: str
    purpose: str
    kid: str
    iat: float
    exp: float
    at: float


@dataclass
class Call:
    """One call of one process.

    Attributes:
        what: Which.
        began: When.
        said: What else was written down at its beginning.
        ended: When; never if its process was killed meanwhile.
        outcome: What came of it; None if nobody knows.
        answer: What else was written down at its end.
        entered: When a `redeem` let its block begin.
        left: When that block was through.
    """

    what: str
    began: float
    said: Entry
    ended: float = inf
    outcome: str | None = None
    answer: Entry = field(default_factory=dict)
    entered: float | None = None
    left: float = inf

    @property
    def token(self) -> str:
        return str(self.said.get("token", ""))

    @property
    def may_have_spent(self) -> bool:
        """Whether it spent a token of single use, or nobody knows."""
        if self.entered is not None:
            return self.outcome not in {"given back", Reason.REPLAYED}
        return self.outcome in _IN_DOUBT


@dataclass(frozen=True)
class Books:
    """Everything that was written down on one ground.

    Attributes:
        minted: Every token, by id.
        calls: Every call, in the order in which they began.
        losses: When the server's memory was taken from it, and when it worked again.
        seed: Of the dice that decided what befell the fleet.
    """

    minted: Mapping[str, Minted]
    calls: Sequence[Call]
    losses: Sequence[tuple[float, float]]
    seed: int = 0

    @classmethod
    def of(cls, entries: Iterable[Entry], *, seed: int = 0) -> "Books":
        """What the entries of all diaries say, in the order in which they were written."""
        minted: dict[str, Minted] = {}
        calls: dict[str, Call] = {}
        for entry in entries:
            what = entry["what"]
            if what == "minted":
                assert entry["token"] not in minted, "two tokens have the same id"
                said = {name: entry[name] for name in ("purpose", "kid", "iat", "exp", "at")}
                minted[entry["token"]] = Minted(entry["token"], **said)
            elif what == "end":
                call = calls[entry["call"]]
                call.ended, call.outcome, call.answer = entry["at"], entry["outcome"], entry
            elif what == "in":
                calls[entry["call"]].entered = entry["at"]
            elif what == "out":
                calls[entry["call"]].left = entry["at"]
            elif "call" in entry:
                calls[entry["call"]] = Call(what, entry["at"], entry)
        losses = [(call.began, call.ended) for call in calls.values() if call.what == "loss"]
        return cls(minted, list(calls.values()), losses, seed)

    def of_kind(self, *what: str) -> list[Call]:
        """All calls of a kind."""
        return [call for call in self.calls if call.what in what]

    def by_token(self, *what: str) -> Mapping[str, list[Call]]:
        """The same, for each token."""
        found: dict[str, list[Call]] = defaultdict(list)
        for call in self.of_kind(*what):
            found[call.token].append(call)
        return found

    def fates(self) -> "Counter[str]":
        """What became of tokens of single use; each is counted once."""
        calls = self.by_token("verify", "redeem")
        once = (token for token in self.minted.values() if token.purpose == "once")
        return Counter(_fate(calls.get(token.id, ())) for token in once)

    def summary(self) -> str:
        """All figures, a line each."""
        lines = [f"seed: {self.seed}", f"minted: {len(self.minted)}", f"keys that signed: {len(self._kids())}"]
        lines += [f"fate, {fate}: {count}" for fate, count in sorted(self.fates().items())]
        counts = Counter((call.what, call.said.get("name") or call.outcome or "killed") for call in self.calls)
        lines += [f"{what}, {outcome}: {count}" for (what, outcome), count in sorted(counts.items())]
        return "\n".join(lines)

    def _kids(self) -> set[str]:
        return {token.kid for token in self.minted.values()}


def _fate(calls: Sequence[Call]) -> str:
    outcomes = [call.outcome for call in calls]
    if "granted" in outcomes:
        return "granted"
    if any(call.may_have_spent for call in calls):
        return "spent by who did not hear of it"
    final = [call.outcome for call in calls if call.answer.get("is_over")]
    return f"refused: {final[0]}" if final else "unaccounted for"
