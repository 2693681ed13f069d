"""Every rule of the audit finds what breaks it, and nothing in books that are in order."""

from collections.abc import Sequence

import pytest

from mintkey import Reason
from tests.soak.audit import RULES, WORKS_AGAIN, breaches
from tests.soak.books import Books
from tests.soak.diary import Diary, Entry, Tail
from tests.soak.fleet import CAP

Story = Sequence[Entry]

EXP = 113.0
"""When the token has expired that all stories are about: minted at 100, for 12 seconds, with a second of leeway."""


def minted(token: str = "t", at: float = 100.0, *, kid: str = "k") -> Story:
    return [{"what": "minted", "at": at, "token": token, "purpose": "once", "kid": kid, "iat": at, "exp": at + 12}]


def call(what: str, begin: float, end: float | None, outcome: str = "granted", **said: object) -> Story:
    """A call; one without an end was killed."""
    name = f"{what} {said.get('token', 't')} {begin}"
    story = [{"what": what, "at": begin, "call": name, "token": "t", **said}]
    if end is not None:
        is_over = outcome not in {"cancelled", "given back", "replay_unavailable", "replay_outcome_unknown"}
        story.append({"what": "end", "at": end, "call": name, "outcome": outcome, "is_over": is_over, **said})
    return story


def inside(begin: float, entered: float, left: float) -> Story:
    """A `redeem` that went well."""
    begun, ended = call("redeem", begin, left + 0.1)
    return [begun, {**ended, "what": "in", "at": entered}, {**ended, "what": "out", "at": left}, ended]


def books_of(*stories: Story) -> Books:
    return Books.of(sorted((entry for story in stories for entry in story), key=lambda entry: entry["at"]))


WELL = [
    entry
    for what in WORKS_AGAIN
    for entry in (
        *minted(what, 189.0, kid="another"),
        *call(what, 190.0, 190.5, token=what, kid="another", exp=300.0, family="another", got="next"),
        *call("verify", 191.0, None, token=what),
    )
]
"""Other tokens, with which everything went well later on."""


IN_ORDER: dict[str, list[Story]] = {
    "spent once, refused then": [
        minted(),
        call("verify", 101, 102),
        call("redeem", 101.5, 103, Reason.REPLAYED),
        call("peek", 104, 105, "replayed"),
    ],
    "spent by a process that was killed": [minted(), call("verify", 101, None), call("verify", 102, 103, "replayed")],
    "spent, and nobody heard of it": [
        minted(),
        call("verify", 101, 102, "replay_outcome_unknown"),
        call("verify", 103, 104, "replayed"),
    ],
    "cancelled, and spent by that": [
        minted(),
        call("verify", 101, 102, "cancelled"),
        call("verify", 103, 104, "replayed"),
    ],
    "reserved by another, then spent": [
        minted(),
        inside(101, 101.5, 102),
        call("redeem", 101.6, 101.8, "token_reserved"),
        call("verify", 103, 104, "replayed"),
    ],
    "given back, then spent": [minted(), call("redeem", 101, 102, "given back"), call("verify", 103, 104)],
    "inside again when the lease was over": [
        minted(),
        call("verify", 102, 103, "replay_unavailable"),
        [*inside(101, 101.5, 106)[:3], *call("redeem", 101, 107, "replayed")[1:]],
        inside(104, 104.1, 104.2),
    ],
    "expired": [minted(), call("verify", EXP - 1, EXP + 0.1, "expired")],
    "revoked": [minted(), call("revoke", 101, 103, "good"), call("verify", 102, 102.5, "revoked")],
    "spent unheard, revoked, and told of that": [
        minted(),
        call("revoke", 101, 103, "good"),
        call("verify", 102, 105, "revoked"),
        call("peek", 102.5, 102.7, "replayed"),
    ],
    "granted while it was being revoked": [minted(), call("revoke", 101, 103, "good"), call("verify", 102, 104)],
    "its key revoked": [
        minted(),
        call("revoke key", 101, 102, "good", kid="k"),
        call("verify", 103, 104, "key_revoked"),
    ],
    "used with a key that others have just revoked": [
        minted(),
        call("revoke key", 101, 102, "good", kid="k"),
        call("verify", 103, 104),
    ],
    "forgotten": [minted(), call("loss", 101, 102, "good"), call("verify", 103, 104, "replay_unprovable")],
    "of a ring that was forgotten": [
        minted(),
        call("loss", 101, 102, "good"),
        call("peek", 101.5, 102, "key_unknown"),
        call("verify", 105, 106, "replay_unprovable"),
    ],
    "asked for again": [
        call("refresh", 101, 102, "granted", family="f", exp=EXP, got="u"),
        call("refresh", 101.5, 103, "granted", family="f", exp=EXP, got="u"),
        call("refresh", 101.7, 112, "replayed", family="f", exp=EXP),
    ],
    "signed out": [
        call("sign out", 101, 102, "good", family="f"),
        call("refresh", 101.5, 103, "revoked", family="f", exp=EXP),
    ],
}

BROKEN: dict[str, list[tuple[str, list[Story]]]] = {
    "one_grant": [
        ("twice", [minted(), call("verify", 101, 102), call("redeem", 102, 103)]),
        (
            "after the memory was lost",
            [minted(), call("verify", 101, 102), call("loss", 103, 104, "good"), call("verify", 105, 106)],
        ),
    ],
    "one_block_at_a_time": [
        (
            "two inside",
            [
                minted(),
                inside(101, 101.5, 102.5),
                [*inside(101.6, 102, 102.2)[:3], *call("redeem", 101.6, 103, "replayed")[1:]],
            ],
        )
    ],
    "refusals_have_causes": [
        ("a first use is a replay", [minted(), call("verify", 101, 102, "replayed")]),
        (
            "a second try is a replay",
            [minted(), call("verify", 101, 102, "replay_unavailable"), call("verify", 103, 104, "replayed")],
        ),
        (
            "a replay of what was given back",
            [minted(), call("redeem", 101, 102, "given back"), call("verify", 103, 104, "replayed")],
        ),
        (
            "who was told of a revocation long over",
            [
                minted(),
                call("revoke", 101, 102, "good"),
                call("verify", 103, 105, "revoked"),
                call("peek", 104, 105, "replayed"),
            ],
        ),
        (
            "forgotten by another",
            [
                minted(),
                call("loss", 101, 102, "good"),
                call("verify", 103, 105, "replay_unprovable"),
                call("peek", 104, 105, "replayed"),
            ],
        ),
        ("a replay before its cause", [minted(), call("verify", 101, 102, "replayed"), call("verify", 103, 104)]),
        ("too early", [minted(), call("verify", 101, 102, "expired")]),
        ("nobody revoked it", [minted(), call("verify", 101, 102, "revoked")]),
        ("nobody revoked it yet", [minted(), call("verify", 101, 102, "revoked"), call("revoke", 103, 104, "good")]),
        (
            "nobody revoked its key",
            [minted(), call("revoke key", 100, 101, "good", kid="other"), call("verify", 101, 102, "key_revoked")],
        ),
        ("nothing was forgotten", [minted(), call("verify", 101, 102, "replay_unprovable")]),
        (
            "forgotten long before",
            [minted(), call("loss", 80, 81, "good"), call("verify", 101, 102, "replay_unprovable")],
        ),
        ("nobody reserved it", [minted(), call("verify", 101, 102, "token_reserved"), call("verify", 103, 104)]),
        ("its key is known", [minted(), call("verify", 101, 102, "key_unknown")]),
        ("its key verifies still", [minted(), call("verify", 101, 102, "key_retired")]),
        ("its signature is good", [minted(), call("peek", 101, 102, "signature_invalid"), call("verify", 103, 104)]),
        ("an access token is good", [call("use", 101, 102, "key_unknown", kid="k", exp=EXP)]),
    ],
    "nothing_is_granted_late": [("expired", [minted(), call("verify", EXP + 0.1, EXP + 0.2)])],
    "revoked_stays_revoked": [("revoked", [minted(), call("revoke", 101, 102, "good"), call("verify", 102.1, 103)])],
    "revoked_keys_stay_revoked": [
        ("when all must know", [minted(), call("revoke key", 101, 102, "good", kid="k"), call("verify", 111.5, 112)])
    ],
    "no_key_signs_beyond_its_cap": [
        (
            "one too many",
            [
                entry
                for number in range(CAP + 1)
                for entry in (minted(f"{number}"), call("verify", 101 + number, None, token=f"{number}"))
            ],
        )
    ],
    "everything_is_accounted_for": [
        ("nobody tried", [minted()]),
        ("nobody could", [minted(), call("verify", 101, 102, "replay_unavailable")]),
    ],
    "sessions_are_lines": [
        (
            "a fork",
            [
                call("refresh", 101, 102, "granted", family="f", exp=EXP, got="u"),
                call("refresh", 101.5, 103, "granted", family="f", exp=EXP, got="v"),
            ],
        ),
        ("a replay within grace", [call("refresh", 101, 102, "replayed", family="f", exp=EXP)]),
        ("nobody signed out", [call("refresh", 101, 102, "revoked", family="f", exp=EXP)]),
        (
            "signed out",
            [
                call("sign out", 101, 102, "good", family="f"),
                call("refresh", 103, 104, "granted", family="f", exp=EXP, got="u"),
            ],
        ),
    ],
    "everybody_recovers": [("still broken", [call("fault", 195, 200, "good"), minted(), call("verify", 201, None)])],
}


@pytest.mark.parametrize("stories", [pytest.param(stories, id=name) for name, stories in IN_ORDER.items()])
def test_books_in_order(stories: list[Story]) -> None:
    assert breaches(books_of(WELL, *stories)) == []


@pytest.mark.parametrize(
    ("rule", "stories"),
    [pytest.param(rule, stories, id=f"{rule}: {name}") for rule, broken in BROKEN.items() for name, stories in broken],
)
def test_what_breaks_a_rule(rule: str, stories: list[Story]) -> None:
    found = breaches(books_of(WELL, *stories))
    assert {breach.partition(":")[0] for breach in found} == {rule}


def test_no_rule_was_never_broken() -> None:
    assert set(BROKEN) == {rule.__name__ for rule in RULES}


def test_a_line_counts_when_it_is_complete(tmp_path) -> None:
    diary, tail = Diary(tmp_path, "one.0"), Tail(tmp_path)
    diary.write("first")
    with (tmp_path / "one.0.diary").open("ab") as file:
        file.write(b'{"what": "sec')
        file.flush()
        assert [entry["what"] for entry in tail.entries()] == ["first"]
        file.write(b'ond"}\n')
    assert [entry["what"] for entry in tail.entries()] == ["second"]
