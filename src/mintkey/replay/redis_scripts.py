"""The few decisions about a mark that one plain Redis command cannot make. Each bears being run twice by its caller.

What a mark's value means is said in `mintkey.replay.redis_marks`; an owner is given here as it is remembered there.
"""

from mintkey.redis.scripts import Script

__all__ = ["COMMIT", "CUT_OFF", "REVOKE", "SWAP", "TAKE_BACK"]

COMMIT = Script("""
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 2, #ARGV[1] + 1) ~= ARGV[1] then return held end
if held and string.sub(held, 1, 1) == 's' then return 1 end
redis.call('SET', KEYS[1], 's' .. ARGV[1] .. ARGV[2], 'PX', ARGV[3])
return 1
""")
"""Mark, owner, tag, milliseconds → 1, or the value that somebody else put there."""

TAKE_BACK = Script("""
local held = redis.call('GET', KEYS[1])
if not held then return -1 end
if string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
""")
"""Mark, what its value begins with → 1: removed, 0: it has another value, -1: there is none."""

REVOKE = Script("""
local life = math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[1]))
redis.call('SET', KEYS[1], 'x', 'PX', string.format('%.0f', life))
""")
"""Mark, milliseconds → nothing."""

CUT_OFF = Script("""
local held, before = redis.call('GET', KEYS[1]), ARGV[1]
if held and held > before then before = held end
local life = math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[2]))
redis.call('SET', KEYS[1], before, 'PX', string.format('%.0f', life))
""")
"""Cut-off, instant as text of fixed width, milliseconds → nothing. As text, because Lua's numbers lose microseconds."""

SWAP = Script("""
local held = redis.call('GET', KEYS[1])
if held == ARGV[2] then return 1 end
if held and '+' .. held ~= ARGV[1] then return 0 end
if not held and ARGV[1] ~= '' then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
""")
"""Family, `+` and the expected document or nothing, new document, milliseconds → 1: it is there now, 0: another is."""
