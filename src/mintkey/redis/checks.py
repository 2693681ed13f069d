"""Whether a server is fit for remembering what was spent, and who signs."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mintkey.health import Check
from mintkey.redis.protocol import Reply, pack

__all__ = ["INFO", "INFO_REPLIES", "Facts", "checks_of", "facts_of", "problems_of", "warn_of"]

_logger = logging.getLogger("mintkey")

INFO = pack("INFO", "replication") + pack("INFO", "memory")
"""What to ask a server; `INFO` is allowed where `CONFIG GET` is not, as with most hosted servers."""

INFO_REPLIES = 2

_UNKNOWN = "unknown"
_ROLES = {"slave": "replica"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a server says of itself.

    Attributes:
        role: `master` or `replica`; None: it does not tell.
        policy: What it evicts when memory is short; None: it does not tell.
        fullness: Which part of its memory is in use; 0 if there is no limit.
        replicas: How many follow it.
    """

    role: str | None
    policy: str | None
    fullness: float
    replicas: int


def facts_of(replies: Iterable[Reply], /) -> Facts:
    """The facts in a server's answers to `INFO`.

    Example:
        >>> facts_of([b"role:master", b"maxmemory_policy:noeviction"])
        Facts(role='master', policy='noeviction', fullness=0.0, replicas=0)
    """
    said: dict[str, str] = {}
    for reply in replies:
        if isinstance(reply, bytes):
            lines = (line.partition(":") for line in reply.decode("utf-8", "replace").splitlines())
            said |= {name: value for name, _, value in lines}
    role, limit = said.get("role"), _number(said, "maxmemory")
    return Facts(
        role=None if role is None else _ROLES.get(role, role),
        policy=said.get("maxmemory_policy"),
        fullness=_number(said, "used_memory") / limit if limit else 0.0,
        replicas=_number(said, "connected_slaves"),
    )


def problems_of(facts: Facts, /) -> list[str]:
    """What is wrong with a server; a sentence each.

    Example:
        >>> problems_of(Facts(role="master", policy="noeviction", fullness=0.1, replicas=0))
        []
    """
    problems: list[str] = []
    if facts.role is None or facts.policy is None:
        problems.append("it does not tell its role and maxmemory-policy (no permission for INFO?): check them yourself")
    if facts.role not in {None, "master"}:
        problems.append(f"it is a {facts.role} and refuses writes: no token can be spent and no key rotated")
    if facts.policy not in {None, "noeviction"}:
        problems.append(
            f"its maxmemory-policy is {facts.policy}: when memory is short it may forget key rings, and spent tokens,"
            " which could be used again; set it to noeviction"
        )
    return problems


def checks_of(servers: Sequence[Facts], /) -> Mapping[str, Check]:
    """What health reports of all servers together: the worst of each.

    `eviction`: the policy, and the part of the memory that is in use (0 if there is no limit). `role`: `master` if all
    that should be one are, and how many replicas follow the loneliest. What nobody tells is `unknown`.

    Example:
        >>> checks_of([Facts(role="master", policy="allkeys-lru", fullness=0.5, replicas=2)])["eviction"]
        Check(ok=False, word='allkeys-lru', figure=0.5)
    """
    policies = {facts.policy or _UNKNOWN for facts in servers} or {_UNKNOWN}
    roles = {facts.role or _UNKNOWN for facts in servers} or {_UNKNOWN}
    policy, role = _worst(policies, fine="noeviction"), _worst(roles, fine="master")
    return {
        "eviction": Check(
            ok=policy in {"noeviction", _UNKNOWN},
            word=policy,
            figure=max((facts.fullness for facts in servers), default=0.0),
        ),
        "role": Check(
            ok=role in {"master", _UNKNOWN}, word=role, figure=min((facts.replicas for facts in servers), default=0)
        ),
    }


def warn_of(problems: Iterable[str], /) -> None:
    """Say it loudly, once for each."""
    for problem in problems:
        _logger.warning("the Redis server is not fit for what is kept there: %s", problem)


def _worst(words: Iterable[str], *, fine: str) -> str:
    """A word that is not fine, if there is one; an unknown one rather than a fine one."""
    ranks = {fine: 2, _UNKNOWN: 1}
    return min(words, key=lambda word: (ranks.get(word, 0), word))


def _number(said: Mapping[str, str], name: str) -> int:
    value = said.get(name, "")
    return int(value) if value.isdecimal() else 0
