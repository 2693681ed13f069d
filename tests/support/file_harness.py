"""The file backends for the contract suites: one directory, a new store or provider on it each time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from mintkey.clock import Clock
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyRingStore
from mintkey.keys.sealing import Sealer
from mintkey.keys.stores.file import FileKeyRingStore
from mintkey.testing.contracts.providers import ContractProvider

__all__ = ["file", "sealed_file"]


@dataclass
class FileHarness:
    """What the processes of one machine share."""

    path: Path
    sealer: Sealer | None = None

    def store(self) -> KeyRingStore:
        return FileKeyRingStore(self.path)

    def provider(self, *, clock: Clock, policy: RotationPolicy) -> ContractProvider:
        from mintkey.keys.file import FileKeyProvider

        return FileKeyProvider(self.path, clock=clock, policy=policy, sealer=self.sealer)

    async def lose_ring(self) -> None:
        await anyio.Path(self.path, "default.ring").unlink()


@asynccontextmanager
async def file(directory: Path) -> AsyncIterator[FileHarness]:
    yield FileHarness(directory / "keys")


@asynccontextmanager
async def sealed_file(directory: Path) -> AsyncIterator[FileHarness]:
    yield FileHarness(directory / "keys", Sealer([Sealer.generate_key()]))
