"""What a service works out once and keeps: the second token of a kind goes none of the long ways again."""

from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest

from mintkey import Purpose, TokenService, TokenVerifier, speed
from mintkey.jose.jwk import generate
from mintkey.keys import MemoryKeyProvider, StaticKeyProvider
from mintkey.opening import Openings
from mintkey.replay import ClaimStatus, Look, MemoryReplayStore
from mintkey.testing import FakeClock

MINUTE = timedelta(minutes=1)
ACCESS = Purpose("access", lifetime=MINUTE)
LINK = Purpose("link", lifetime=MINUTE, single_use=True)
SESSION = Purpose("session", lifetime=MINUTE, revocable=True)

Count = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tokens(clock: FakeClock) -> TokenService:
    keys = MemoryKeyProvider(clock=clock)
    return TokenService(issuer="i", keys=keys, replay=MemoryReplayStore(clock=clock), clock=clock)


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Count:
    """Notes every call of something that a module names."""

    def begin(place: str) -> list[tuple[Any, ...]]:
        module, _, name = place.rpartition(".")
        original: Callable[..., Any] = getattr(import_module(module), name)
        calls: list[tuple[Any, ...]] = []

        def noted(*positional: Any, **named: Any) -> Any:
            calls.append(positional)
            return original(*positional, **named)

        monkeypatch.setattr(import_module(module), name, noted)
        return calls

    return begin


class TestWhatAPurposeNeeds:
    async def test_is_prepared_once_for_minting_and_once_for_verifying(
        self, tokens: TokenService, count: Count
    ) -> None:
        to_mint, to_verify = count("mintkey.service.template_of"), count("mintkey.verifier.template_of")
        for purpose in (ACCESS, SESSION):
            for _ in range(3):
                await tokens.verify(await tokens.mint(purpose), purpose)
        assert to_mint == to_verify == [(ACCESS,), (SESSION,)]

    async def test_is_prepared_once_for_naming_marks(self, tokens: TokenService, count: Count) -> None:
        namers = count("mintkey.spending.MarkNamer")
        for _ in range(3):
            await tokens.verify(await tokens.mint(LINK), LINK)
        assert namers == [("i", "link")]


class TestATokenOfOurOwn:
    """All tokens of one key and purpose have the same header, and claims that our own template wrote."""

    async def test_is_read_by_the_general_readers_at_most_once(self, tokens: TokenService, count: Count) -> None:
        headers = count("mintkey.verifier.read_own_header")
        claims, types = count("mintkey.verifier.read_claims"), count("mintkey.verifier.same_typ")
        for subject in "abc":
            token = await tokens.mint(ACCESS, subject=subject)
            assert (await tokens.verify(token, ACCESS)).subject == subject
        assert len(headers) == 1
        assert claims == types == []

    async def test_has_a_header_that_is_written_once(self, tokens: TokenService, count: Count) -> None:
        written = count("mintkey.service.header_segment")
        for _ in range(3):
            await tokens.mint(ACCESS)
        assert len(written) == 1

    async def test_has_one_of_256_headers_that_are_kept(self, clock: FakeClock, count: Count) -> None:
        """Somebody may make a type for every token: what is kept of them is bounded."""
        keys = StaticKeyProvider({"keys": [generate("EdDSA").private_jwk]})
        tokens = TokenService(issuer="i", keys=keys, clock=clock)
        written = count("mintkey.service.header_segment")
        purposes = [Purpose("access", typ=f"type-{number}", lifetime=MINUTE) for number in range(257)]
        for purpose in purposes[:256]:
            await tokens.mint(purpose)
        await tokens.mint(purposes[0])
        assert len(written) == 256
        await tokens.mint(purposes[256])  # one more than there is room for
        assert len(written) == 257
        await tokens.mint(purposes[0])
        assert len(written) == 258


class TestWhatIsOpen:
    """A service that was entered, or opened what it needs at a first call, does not look after it at every token."""

    @pytest.fixture
    def looks(self, monkeypatch: pytest.MonkeyPatch) -> list[object]:
        looks: list[object] = []

        class Noted(Openings):
            def __contains__(self, resource: object) -> bool:
                looks.append(resource)
                return super().__contains__(resource)

        monkeypatch.setattr("mintkey.verifier.Openings", Noted)
        return looks

    @pytest.mark.parametrize("is_entered", [True, False])
    @pytest.mark.parametrize("purpose", [ACCESS, LINK], ids=["without a store", "with a store"])
    async def test_is_not_looked_after_again(
        self, clock: FakeClock, looks: list[object], purpose: Purpose[Any], is_entered: bool
    ) -> None:
        store = MemoryReplayStore(clock=clock) if purpose is LINK else None
        tokens = TokenService(issuer="i", keys=MemoryKeyProvider(clock=clock), replay=store, clock=clock)
        if is_entered:
            await tokens.__aenter__()
        await tokens.mint(purpose)
        looks.clear()
        for _ in range(3):
            await tokens.verify(await tokens.mint(purpose), purpose)
        assert looks == []
        await tokens.aclose()


class TestAccelerators:
    async def test_are_loaded_before_the_first_token_comes(
        self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Importing takes longer than the event loop can wait."""
        loaded: list[str] = []

        def load(name: str) -> Any:
            loaded.append(name)
            return import_module(name)

        key = generate("EdDSA")
        keys = StaticKeyProvider({"keys": [key.private_jwk]})
        token = await TokenService(issuer="i", keys=keys, clock=clock).mint(ACCESS, claims={"plan": "pro"})
        speed.imported.cache_clear()
        monkeypatch.setattr(speed, "import_module", load)
        verifier = TokenVerifier(issuer="i", keys=keys, clock=clock)
        assert {name.partition(".")[0] for name in loaded} == {"nacl", "orjson"}
        loaded.clear()
        await verifier.verify(token, ACCESS)
        assert loaded == []


class Asked(MemoryReplayStore):
    """Notes what it is asked."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self.log: list[str] = []

    async def look(self, key: str, cut_off: str, /, *, issued_at: datetime) -> Look:
        self.log.append("token and subject")
        return await super().look(key, cut_off, issued_at=issued_at)

    async def status(self, key: str, /, *, issued_at: datetime) -> ClaimStatus:
        self.log.append("token")
        return await super().status(key, issued_at=issued_at)

    async def cut_off_before(self, key: str, /) -> datetime | None:
        self.log.append("subject")
        return await super().cut_off_before(key)


@pytest.mark.parametrize(
    ("purpose", "subject", "asked"),
    [
        (LINK, "alice", ["token"]),
        (SESSION, None, ["token"]),
        (SESSION, "alice", ["token and subject"]),
        (ACCESS, "alice", []),
    ],
    ids=["single use", "revocable without a subject", "revocable", "neither"],
)
async def test_a_store_is_asked_for_what_matters_and_for_no_more(
    clock: FakeClock, purpose: Purpose[Any], subject: str | None, asked: list[str]
) -> None:
    store = Asked(clock)
    tokens = TokenService(issuer="i", keys=MemoryKeyProvider(clock=clock), replay=store, clock=clock)
    await tokens.peek(await tokens.mint(purpose, subject=subject), purpose)
    assert store.log == asked
