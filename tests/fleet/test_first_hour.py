"""A new user's first hour: both tutorials followed in an empty folder, and then what goes wrong in production."""

import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2
import pytest
from anyio import to_thread

from mintkey import Purpose, TokenService
from mintkey.keys import Sealer
from tests.docs.page import Page
from tests.docs.tutorial import Folder, Terminal
from tests.support.polling import until
from tests.support.servers import redis_binary

FIRST = Page("tutorial/magic-link")
SECOND = Page("tutorial/deploy")
APP, _ = FIRST.blocks()
INSTALL, REDIS, SEAL, LOOK, SERVE, ROTATE = SECOND.blocks("sh")
KNOW, DOCTOR = LOOK.splitlines()

STARTED = r"Started server process \[(\d+)\]"
COMPLETE = "Application startup complete"
PEOPLE = 8
GOOD = {"sign in 303", "the same link 410", "look around 200"}
AWAY = {"sign in 503", "the same link 503"}
USED_UNHEARD = "sign in 410"
"""Of a link whose mark was written in the moment in which Redis died: its user never heard of it."""


@dataclass
class Deployed:
    """What the reader has after the second tutorial."""

    folder: Folder
    stack: ExitStack
    redis: Terminal = field(init=False)
    workers: Terminal = field(init=False)

    def start_redis(self) -> None:
        self.redis = self.stack.enter_context(self.folder.terminal(f"exec {REDIS}"))
        self.redis.until("Ready to accept connections")

    def serve(self) -> None:
        self.workers = self.stack.enter_context(self.folder.terminal(f"{KNOW}\n{SERVE}"))
        self.workers.until(COMPLETE, times=2)

    def command(self, line: str) -> str:
        """What a command prints in a terminal that knows the settings."""
        return self.folder.run(f"{KNOW}\n{line}")

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.folder.here("http://localhost:8000"), timeout=30)

    def tokens(self) -> TokenService:
        """The service of one process more."""
        return TokenService.from_url(
            self.folder.here("redis://localhost:6380"),
            issuer=self.folder.here("http://localhost:8000"),
            sealer=Sealer([(self.folder.path / "seal.key").read_text(encoding="utf-8").strip()]),
        )


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    redis_binary()
    folder = Folder(tmp_path_factory.mktemp("first-hour"), 8000, 6380)
    folder.write(FIRST)
    blocks = (*SECOND.blocks("ini"), *SECOND.blocks())
    assert folder.write(SECOND) == dict(zip(("mintkey.env", "service.py", "load.py"), blocks, strict=True))
    with ExitStack() as stack:
        deployed = Deployed(folder, stack)
        deployed.start_redis()
        folder.run(SEAL)
        told, *_ = SECOND.blocks("text")
        assert told.strip() in deployed.command(DOCTOR)
        deployed.serve()
        yield deployed


@pytest.fixture(scope="module")
def purposes() -> tuple[Purpose[Any], Purpose[Any]]:
    """Links and sessions of the page's application."""
    names: dict[str, Any] = {"__name__": "app"}
    exec(APP, names)  # noqa: S102 - the page is ours
    return names["LOGIN"], names["SESSION"]


class Load:
    """People who sign in and look around, until told to stop; every answer is counted.

    A link that nobody could check is tried again, until it signs in.
    """

    def __init__(self, client: httpx2.AsyncClient, tokens: TokenService, purposes: tuple[Purpose[Any], Purpose[Any]]):
        self.seen = Counter[str]()
        self.lost = 0
        self.without_advice: list[httpx2.Response] = []
        self.stop = anyio.Event()
        self._client = client
        self._tokens = tokens
        self._login, self._session = purposes

    async def more(self, what: str, often: int) -> None:
        """Wait until an answer came so many times more."""
        before = self.seen[what]

        async def came() -> bool:
            return self.seen[what] >= before + often

        await until(came, patience=60)

    async def person(self) -> None:
        session = await self._tokens.mint(self._session, subject="alice")
        while not self.stop.is_set():
            link = await self._tokens.mint(self._login, subject="alice")
            try:
                while await self._post("sign in", link) == 503 and not self.stop.is_set():
                    await self._look(session)
                await self._post("the same link", link)
                await self._look(session)
            except httpx2.TransportError:
                self.lost += 1

    async def _post(self, what: str, link: str) -> int:
        return self._count(what, await self._client.post("/magic", data={"token": link}))

    async def _look(self, session: str) -> None:
        self._count("look around", await self._client.get("/me", headers={"Authorization": f"Bearer {session}"}))

    def _count(self, what: str, answer: httpx2.Response) -> int:
        self.seen[f"{what} {answer.status_code}"] += 1
        if answer.status_code == 503 and "retry-after" not in answer.headers:
            self.without_advice.append(answer)
        return answer.status_code


@asynccontextmanager
async def load(deployed: Deployed, purposes: tuple[Purpose[Any], Purpose[Any]]) -> AsyncIterator[Load]:
    """A load for as long as the block lasts, which begins when it is well under way."""
    async with deployed.tokens() as tokens, deployed.client() as client:
        people = Load(client, tokens, purposes)
        async with anyio.create_task_group() as tasks:
            for _ in range(PEOPLE):
                tasks.start_soon(people.person)
            try:
                await people.more("look around 200", 5 * PEOPLE)
                yield people
            finally:
                people.stop.set()


async def test_links_are_made_looked_at_and_used_by_whichever_worker(deployed: Deployed) -> None:
    assert len(set(deployed.workers.until(STARTED))) == 2
    for number in range(10):
        mail = rf"Mail to {number}@example.com: \S+token=(\S+)"
        async with deployed.client() as asking:
            await asking.post("/links", data={"email": f"{number}@example.com"})
        (link,) = await to_thread.run_sync(deployed.workers.until, mail)
        async with deployed.client() as looking:
            assert (await looking.get("/magic", params={"token": link})).status_code == 200
        async with deployed.client() as using:
            assert (await using.post("/magic", data={"token": link})).status_code == 303
        async with deployed.client() as again:
            assert (await again.post("/magic", data={"token": link})).status_code == 410
    assert "GET /magic" not in deployed.workers.said()  # no link is in a log


async def test_the_keys_rotate_under_the_load_of_the_page(deployed: Deployed) -> None:
    """Its own commands: three rotations, and nothing but good answers."""
    said = await to_thread.run_sync(deployed.command, ROTATE)
    assert len(re.findall(r"^✓ \S+ signs from now on$", said, re.MULTILINE)) == 3
    counts = {what.strip(): int(often) for what, often in re.findall(r"^([\w-][\w -]*?) +(\d+)$", said, re.MULTILINE)}
    assert {what for what in counts if not what.startswith("key ")} == GOOD
    assert len([what for what in counts if what.startswith("key ")]) > 1
    assert counts["sign in 303"] == counts["the same link 410"] > 20
    assert counts["look around 200"] == 2 * counts["sign in 303"]


async def test_tokens_of_the_old_key_and_of_the_new_one_are_good(
    deployed: Deployed, purposes: tuple[Purpose[Any], Purpose[Any]]
) -> None:
    login, session = purposes
    async with deployed.tokens() as tokens:
        sessions, links = [await tokens.mint(session, subject="alice")], [await tokens.mint(login, subject="alice")]
        await to_thread.run_sync(deployed.command, "mintkey keys rotate --yes")

        async def rotated() -> bool:
            return (await tokens.mint(session, subject="alice")).key_id != sessions[0].key_id

        await until(rotated)
        sessions.append(await tokens.mint(session, subject="alice"))
        links.append(await tokens.mint(login, subject="alice"))
    assert len({token.key_id for token in sessions}) == len({token.key_id for token in links}) == 2
    for token in sessions:
        for _ in range(10):
            async with deployed.client() as client:
                answer = await client.get("/me", headers={"Authorization": f"Bearer {token}"})
                assert answer.json() == {"signed in": "alice"}
    async with deployed.client() as client:
        assert [(await client.post("/magic", data={"token": link})).status_code for link in links] == [303, 303]


async def test_a_worker_is_killed_and_the_other_one_goes_on(
    deployed: Deployed, purposes: tuple[Purpose[Any], Purpose[Any]]
) -> None:
    before = deployed.workers.until(STARTED)
    async with load(deployed, purposes) as people:
        os.kill(int(before[-1]), signal.SIGKILL)
        await people.more("look around 200", 10)
        assert len(deployed.workers.until(COMPLETE)) == len(before)  # nobody else is there yet
        await to_thread.run_sync(lambda: deployed.workers.until(COMPLETE, times=len(before) + 1))
        await people.more("look around 200", 40)
    assert set(people.seen) == GOOD
    assert people.lost <= PEOPLE


async def test_redis_is_killed_and_comes_back(deployed: Deployed, purposes: tuple[Purpose[Any], Purpose[Any]]) -> None:
    """Nobody signs in meanwhile, sessions go on, and no worker is restarted for it."""
    workers = deployed.workers.until(STARTED)
    async with deployed.tokens() as tokens, deployed.client() as client:
        used = await tokens.mint(purposes[0], subject="alice")
        assert (await client.post("/magic", data={"token": used})).status_code == 303
    async with load(deployed, purposes) as people:
        await to_thread.run_sync(deployed.redis.end)
        await people.more("sign in 503", PEOPLE)
        newcomer = await to_thread.run_sync(deployed.command, "uvicorn service:app --port 0 2>&1 || echo ended")
        await people.more("look around 200", PEOPLE)
        await to_thread.run_sync(deployed.start_redis)
        await people.more("sign in 303", 40)
    assert GOOD < set(people.seen) - {USED_UNHEARD} <= GOOD | AWAY
    assert people.seen[USED_UNHEARD] <= PEOPLE
    assert (people.lost, people.without_advice) == (0, [])
    assert deployed.workers.until(STARTED) == workers
    refused = r"^mintkey\.errors\.\w+: .*Redis cannot be reached: Connection refused"
    assert re.search(refused, newcomer, re.MULTILINE), newcomer
    assert newcomer.endswith("ended\n")
    async with deployed.client() as client:
        assert (await client.post("/magic", data={"token": used})).status_code == 410


def test_the_page_tells_of_what_was_seen() -> None:
    """The words in its outputs are those that the tests above expect."""
    _, rotated, killed, away = SECOND.blocks("text")
    words = [{line.rpartition(" ")[0].strip() for line in text.splitlines()} for text in (rotated, killed, away)]
    assert {word for word in words[0] if not word.startswith("key ")} == GOOD
    assert words[1] == {"connection lost"}
    assert words[2] == GOOD | AWAY | {"the same link 303"}
