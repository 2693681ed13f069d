"""Counted openings: one store or provider may serve several services and is closed by the last to leave."""

from threading import Lock
from types import TracebackType
from typing import ClassVar, NoReturn, Self

__all__ = ["Resource"]


class Resource:
    """Something that is opened by the first who enters it and closed by the last who leaves.

    A backend derives from it and says what opening and closing mean in `_open` and `_close`; both may be left alone.
    Neither needs to be called for correctness: a backend that nobody entered opens what it needs at its first use, and
    then `aclose` alone closes it.
    """

    # Event loops of several threads may share a resource. Held for an addition, so all resources share one.
    __counting: ClassVar[Lock] = Lock()
    __openings: int = 0

    async def __aenter__(self) -> Self:
        if self.__count(1) == 1:
            try:
                await self._open()
            except BaseException:
                self.__count(-1)
                raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Take one opening back; the last one closes. Closing what is closed does nothing."""
        if self.__count(-1) == 0:
            await self._close()

    async def aclose_unless_open(self) -> None:
        """Let go of what uses without an opening took, unless somebody has it open."""
        if self.__openings == 0:
            await self._close()

    async def _open(self) -> None:
        """Make ready; called once for any number of openings."""

    async def _close(self) -> None:
        """Let go of everything that `_open` or a first use took; must bear being called again."""

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: what is open cannot be copied, and with it would go passwords and keys.

        Raises:
            TypeError: Always.
        """
        raise TypeError(f"{type(self).__name__} is not pickled or copied: make another one where it is needed")

    def __count(self, change: int) -> int:
        with self.__counting:
            self.__openings = max(0, self.__openings + change)
            return self.__openings
