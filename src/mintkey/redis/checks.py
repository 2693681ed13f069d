"""Whether a server is fit for remembering what was spent."""

import logging
from collections.abc import Iterable

from mintkey.redis.protocol import Reply, pack

__all__ = ["INFO", "INFO_REPLIES", "problems_of", "warn_of"]

_logger = logging.getLogger("mintkey")

INFO = pack("INFO", "replication") + pack("INFO", "memory")
"""What to ask a server; `INFO` is allowed where `CONFIG GET` is not, as with most hosted servers."""

INFO_REPLIES = 2


def problems_of(replies: Iterable[Reply], /) -> list[str]:
    """What is wrong with a server, by its answers to `INFO`; a sentence each.

    Example:
        >>> problems_of([b"role:master", b"maxmemory_policy:noeviction"])
        []
    """
    facts: dict[str, str] = {}
    for reply in replies:
        if isinstance(reply, bytes):
            lines = (line.partition(":") for line in reply.decode("utf-8", "replace").splitlines())
            facts |= {name: value for name, _, value in lines}
    problems: list[str] = []
    role, policy = facts.get("role"), facts.get("maxmemory_policy")
    if role is None or policy is None:
        problems.append("it does not tell its role and maxmemory-policy (no permission for INFO?): check them yourself")
    if role not in {None, "master"}:
        problems.append(f"it is a {role} and refuses writes: no token can be spent")
    if policy not in {None, "noeviction"}:
        problems.append(
            f"its maxmemory-policy is {policy}: it may forget spent tokens when memory is short, and they could be"
            " used again; set it to noeviction"
        )
    return problems


def warn_of(problems: Iterable[str], /) -> None:
    """Say it loudly, once for each."""
    for problem in problems:
        _logger.warning("the Redis server is not fit for replay protection: %s", problem)
