"""Whatever a template recognises, the general reader reads just so: in value, in kind and in order."""

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from mintkey.claims import strict_json
from mintkey.claims.registered import REGISTERED, ClaimRules, take_registered
from mintkey.claims.template import ClaimsTemplate

pytestmark = pytest.mark.usefixtures("with_and_without_speed")


class Party(NamedTuple):
    """An issuer and what a purpose of his asks, as the template and the general reader know it."""

    issuer: str
    audience: tuple[str, ...]
    required: frozenset[str]

    @property
    def template(self) -> ClaimsTemplate:
        return ClaimsTemplate(issuer=self.issuer, audience=self.audience, required=self.required)

    @property
    def rules(self) -> ClaimRules:
        return ClaimRules.of(audience=self.audience, required=self.required, leeway=0, max_age=None)


def agree(party: Party, payload: bytes) -> bool:
    """Whether the template recognises the payload; if so, the general reader found the very same."""
    recognised = party.template.recognise(payload)
    if recognised is None:
        return False
    # Neither through the quick reader, so that it vouches for nothing here.
    claims = strict_json._read_strictly(payload, strict_json.MAX_DEPTH)
    assert strict_json.loads(payload) == claims
    registered = take_registered(claims, party.rules, issuer=party.issuer)
    assert repr(recognised) == repr((registered, claims))
    assert type(recognised[0]) is type(registered)
    return True


ISSUERS = ["https://i", "https://i/", "i", "ä", 'quoted "i"', "back\\slash", "\n", "\u2028", "a.*+?", "\x7f", "😀"]
AUDIENCES = [(), ("web",), ("web", "app"), ("app", "web"), ("web", "web"), ("ä",), ('"', "\\"), ("https://i",)]
REQUIRED = ["sub", "aud", "scope", "nbf", "tenant", "jti", "iss", "email"]
PARTY = st.builds(
    Party,
    st.sampled_from(ISSUERS),
    st.sampled_from(AUDIENCES),
    st.just(frozenset()) | st.frozensets(st.sampled_from(REQUIRED), max_size=2),
)

PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'), min_size=1, max_size=8)
ODD_TEXT = st.text(max_size=6) | st.sampled_from(["", '","sub":"root', "\\", "ä", "\x7f", '"', "\ud800"])
ODD_SCOPE = st.sampled_from(["", " ", "  a  b ", "a\tb", "ä", "a\\", "a a"])
ODD_TIME = st.sampled_from(
    """0 -1 -0 00 01 1.0 1.5 1e3 1E3 1e400 99999999999 100000000000 253370764800 253370764801 999999999999 NaN
    Infinity true null "100" [1] ١ 1_0 0x1 +1 9007199254740993 123456789012345678901234567890123""".split()
)
ODD_ID = st.sampled_from(["1", "null", '"\\u0031"', '""', '"ä"', '["1"]', '"\x00"', '"1" '])
SIMPLE = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | PLAIN | st.just("ä€😀")
ODD_VALUE = st.integers(-(10**33), 10**33) | st.floats() | ODD_TEXT
NAME = st.sampled_from(["tenant", "email", "n", "", "é", "jti ", "Iss"]) | PLAIN
ODD_NAME = st.sampled_from(sorted(REGISTERED)) | ODD_TEXT
ENDS = [b"", b"}}", b",}", b"},", b"}\n", b" }", b"}\x00", b"\xff}", b"}x", b',"a"}', b"]", b"}{}", b', "a":1}']


def nested(of: Any, names: Any) -> Any:
    return st.recursive(
        of, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
    )


DEEP = st.builds(
    lambda levels, inside, kind: kind[0] * levels + inside + kind[1] * levels,
    st.integers(12, 18),
    st.sampled_from(["[]", "1", "null", '"[{"', "{}", '{"a":1}', "1.5"]),
    st.sampled_from([("[", "]"), ('{"a":', "}")]),
)


class Mischief:
    """Draws what a template writes; now and then something odd instead, and seldom twice in one token."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw
        self._odd = draw(st.frozensets(st.integers(0, 11), max_size=2))
        self._drawn = -1

    def draw(self, plain: Any, odd: Any) -> Any:
        self._drawn += 1
        return self._draw(odd if self._drawn in self._odd else plain)


def quoted(text: str) -> bytes:
    return json.dumps(text, ensure_ascii="\ud800" <= max(text, default="") <= "\udfff").encode("utf-8", "replace")


@st.composite
def parts(draw: Any, of: Party) -> list[bytes]:
    """The members of a token that this party wrote, or nearly so, in its order."""
    chaos = Mischief(draw)
    audience = chaos.draw(st.just(of.audience), st.sampled_from(AUDIENCES))
    head = ClaimsTemplate(issuer=of.issuer, audience=audience, required=()).begin(None)
    members = [head[1:].removesuffix(b',"iat":')]
    subject = chaos.draw(st.none() | PLAIN, ODD_TEXT)
    members += [] if subject is None else [b'"sub":' + quoted(subject)]
    members += [b'"iat":' + str(chaos.draw(st.integers(1, 2**34), ODD_TIME)).encode()]
    members += [b'"exp":' + str(chaos.draw(st.integers(1, 2**34), ODD_TIME)).encode()]
    members += [b'"jti":' + chaos.draw(PLAIN.map(quoted), ODD_ID.map(str.encode))]
    scope = chaos.draw(st.none() | st.lists(PLAIN, min_size=1, max_size=3).map(" ".join), ODD_SCOPE)
    members += [] if scope is None else [b'"scope":' + quoted(scope)]
    private = chaos.draw(
        st.dictionaries(NAME, nested(SIMPLE, NAME), max_size=3),
        st.dictionaries(NAME | ODD_NAME, nested(SIMPLE | ODD_VALUE, NAME | ODD_NAME), max_size=3),
    )
    members += [b"%b:%b" % (quoted(name), write(value)) for name, value in private.items()]
    deep = chaos.draw(st.none(), DEEP)
    members += [] if deep is None else [b'"deep":' + deep.encode()]
    number = chaos.draw(st.none(), ODD_TIME)
    return members + ([] if number is None else [b'"number":' + number.encode()])


def write(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


@st.composite
def payloads(draw: Any, of: Party) -> bytes:
    """The text of a token that this party wrote, or nearly so."""
    end = draw(st.sampled_from([b"}"] * 3 * len(ENDS) + ENDS))
    return b"{" + b",".join(draw(parts(of))) + bytes(end)


@st.composite
def moved(draw: Any, of: Party) -> bytes:
    """The members of such a token, some missing, some twice, some elsewhere."""
    ours = draw(parts(of))
    foreign = [b'"nbf":1', b'"aud":["web",""]', b'"aud":[]', b'"iss":"https://i"', b'"a":{}', b'"a":1']
    for _ in range(draw(st.integers(0, 2))):
        kind, at = draw(st.sampled_from(["drop", "double", "add", "swap"])), draw(st.integers(0, len(ours)))
        if kind == "drop":
            del ours[at : at + 1]
        elif kind == "add":
            ours.insert(at, draw(st.sampled_from(foreign)))
        else:
            ours.insert(at, draw(st.sampled_from(ours or foreign)))
            if kind == "swap":
                ours.pop(draw(st.integers(0, len(ours) - 1)))
    comma: bytes = draw(st.sampled_from([b",", b",", b",", b", "]))
    return b"{" + comma.join(ours) + b"}"


def note(*, recognised: bool) -> None:
    event("recognised" if recognised else "left to the reader")


@given(st.data(), PARTY)
def test_what_nearly_is_a_token_of_ours(data, party) -> None:
    note(recognised=agree(party, data.draw(payloads(party))))


@given(st.data(), PARTY)
def test_members_that_are_moved_doubled_and_missing(data, party) -> None:
    note(recognised=agree(party, data.draw(moved(party))))


@given(
    st.data(),
    PARTY,
    st.lists(st.tuples(st.integers(0, 500), st.sampled_from(["put", "cut", "set"]), st.integers(0, 255)), max_size=3),
)
def test_changed_bytes(data, party, changes) -> None:
    payload = bytearray(data.draw(payloads(party)))
    for position, change, byte in changes:
        at = position % (len(payload) + 1)
        payload[at : at + (change != "put")] = b"" if change == "cut" else bytes([byte])
    note(recognised=agree(party, bytes(payload)))


@given(st.data(), PARTY, PARTY)
def test_one_partys_tokens_in_the_hands_of_another(data, one, other) -> None:
    payload = data.draw(payloads(one))
    note(recognised=agree(other, payload))
    # The nearest neighbours: everything the same but for one thing.
    agree(other._replace(issuer=one.issuer, audience=one.audience), payload)
    agree(one._replace(required=other.required), payload)
    agree(one._replace(audience=other.audience), payload)


CLEAN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3),
    max_leaves=8,
).filter(lambda value: "\\" not in json.dumps(value, ensure_ascii=False))


@given(
    st.sampled_from(ISSUERS),
    st.sampled_from(AUDIENCES),
    st.none() | PLAIN,
    st.lists(st.from_regex(r"[!#-\[\]-~]+", fullmatch=True), max_size=3),
    st.dictionaries(PLAIN.filter(lambda name: name not in REGISTERED), CLEAN, max_size=3),
)
@example("i", (), None, [], {})
def test_what_is_written_without_need_for_escapes_is_recognised(issuer, audience, subject, scopes, private) -> None:
    party = Party(issuer, audience, frozenset({"sub"} if subject else ()) | frozenset(private))
    others = ({"scope": " ".join(scopes)} if scopes else {}) | private
    end = b"," + strict_json.dumps(others)[1:] if others else b"}"
    assert agree(party, party.template.begin(subject) + b'1700000000,"exp":1700000600,"jti":"1"' + end)
