"""A key ring as one Redis hash: what its fields mean, and the few decisions about it that need a script.

One hash, so that document, revision and counters are read together, are served by one node, and are lost together: a
server that forgot how often a version was used must not hold its key any more. It has no time to live.

Fields are told apart by their first character, which no kid has:

```
=       the document          +kid    mints reserved and not given back      @kid    the revision at their last change
#       its revision          <kid    mints given back
```
"""

from collections.abc import Mapping, Sequence
from typing import cast

from mintkey.keys.ports import StoredRing
from mintkey.redis.calls import Call
from mintkey.redis.errors import RedisCallError
from mintkey.redis.protocol import Reply, pack
from mintkey.redis.scripts import Script

__all__ = ["GIVE_BACK", "RESERVE", "REVISION", "SWAP", "load_call", "ring_of"]

DOCUMENT, REVISION = b"=", b"#"

SWAP = Script("""
local ring, expected, document, revision = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local held = redis.call('HGET', ring, '#') or '0'
if held ~= expected then
  if held == revision and redis.call('HGET', ring, '=') == document then return 2 end
  return 0
end
redis.call('HSET', ring, '#', revision, '=', document)
if revision % 64 == 0 then
  -- Nobody here can read the document, so nobody knows which versions are gone. What nobody counted against for so many
  -- changes stopped signing long ago.
  for _, field in ipairs(redis.call('HKEYS', ring)) do
    if string.sub(field, 1, 1) == '@' and redis.call('HGET', ring, field) + 1024 < revision + 0 then
      local kid = string.sub(field, 2)
      redis.call('HDEL', ring, '@' .. kid, '+' .. kid, '<' .. kid)
    end
  end
end
redis.pcall('PUBLISH', ring, revision)
return 1
""")
"""Ring, expected revision, document, next revision → 1: swapped, 2: that is there already, 0: something else is.

Who may not publish still swaps: telling others is an optimisation.
"""

RESERVE = Script("""
local ring, kid, want, limit = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local revision = redis.call('HGET', ring, '#')
if not revision then return 0 end
local counted = tonumber(redis.call('HGET', ring, '+' .. kid) or '0')
local granted = math.max(0, math.min(want, limit - counted))
redis.call('HSET', ring, '+' .. kid, string.format('%.0f', counted + granted), '@' .. kid, revision)
return granted
""")
"""Ring, kid, how many, limit → how many were granted. Executed twice, it wastes what it granted first."""

GIVE_BACK = Script("""
local ring, kid = KEYS[1], ARGV[1]
local counted = tonumber(redis.call('HGET', ring, '+' .. kid) or '0')
local back = math.min(tonumber(ARGV[2]), counted)
if back <= 0 then return 0 end
local returned = tonumber(redis.call('HGET', ring, '<' .. kid) or '0')
redis.call('HSET', ring,
  '+' .. kid, string.format('%.0f', counted - back), '<' .. kid, string.format('%.0f', returned + back))
return back
""")
"""Ring, kid, how many → how many were taken back. Executed twice, it would take back what somebody signs with."""


def load_call(ring: bytes, /) -> Call:
    """The call whose replies `ring_of` reads: everything about a ring, and what time it is there."""
    return Call(pack("HGETALL", ring) + pack("TIME"), 2)


def ring_of(replies: Sequence[Reply], /) -> StoredRing | None:
    """The ring in the replies to a `load_call`.

    Raises:
        RedisCallError: What is there is no ring of ours.

    Example:
        >>> fields = [b"#", b"3", b"=", b"{}", b"+kid", b"5", b"<kid", b"2", b"@kid", b"1"]
        >>> stored = ring_of([fields, [b"9", b"500000"]])
        >>> stored.revision, stored.document, stored.mints, stored.returned, stored.time
        (3, b'{}', {'kid': 5}, {'kid': 2}, 9.5)
    """
    try:
        found, (seconds, microseconds) = cast("Sequence[Sequence[bytes]]", replies)
        if not found:
            return None
        fields = dict(zip(found[::2], found[1::2], strict=True))
        return StoredRing(
            fields[DOCUMENT],
            int(fields[REVISION]),
            _counts(fields, b"+"),
            _counts(fields, b"<"),
            int(seconds) + int(microseconds) / 1_000_000,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RedisCallError("the ring's key holds something else", code="ERR", may_have_run=False) from error


def _counts(fields: Mapping[bytes, bytes], kind: bytes) -> Mapping[str, int]:
    return {name[1:].decode(): int(count) for name, count in fields.items() if name.startswith(kind)}
