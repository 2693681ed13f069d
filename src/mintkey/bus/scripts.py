"""The few decisions about a stream that must not be interrupted, as scripts.

A script is told the stream's key. What else belongs to the stream is called like it, with something behind that no name
has, and so lies in the same slot:

```
mk{4}~events           the stream                     mk{4}~events!GROUP    what a group could not handle
mk{4}~events?ID        the event of this id is in it  mk{4}~events%         how many events each group lost unread
```
"""

from mintkey.redis.scripts import Script

__all__ = ["ASIDE", "JOIN", "LEAVE", "LOSSES", "MEMO", "PUBLISH", "TAKE_LOSSES"]

ASIDE, LOSSES, MEMO = b"!", b"%", b"?"

PUBLISH = Script("""
local stream, id, remember, most = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local memo = stream .. '?' .. id
if redis.call('EXISTS', memo) == 1 then return {0} end
local before = redis.call('XLEN', stream)
redis.call('XADD', stream, 'MAXLEN', '~', most, '*', 'm', ARGV[4], 's', ARGV[5])
redis.call('SET', memo, '', 'PX', remember)
local kept = redis.call('XLEN', stream)
local cut = before + 1 - kept
local told = {1}
if cut > 0 then
  for _, pairs in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group, lag
    for at = 1, #pairs, 2 do
      if pairs[at] == 'name' then group = pairs[at + 1] end
      if pairs[at] == 'lag' then lag = pairs[at + 1] end
    end
    if lag and lag > kept then
      local lost = math.min(cut, lag - kept)
      redis.call('HINCRBY', stream .. '%', group, lost)
      told[#told + 1] = group
      told[#told + 1] = lost
    end
  end
end
return told
""")
"""Stream, id, milliseconds to remember the id for, how many events to keep, event, tag → 1, or 0: it was there already;
then each group and how many events it had not read were cut off to make room.

The event first: if it is refused, nothing remembers that it was published. Trimming takes whole nodes of the stream,
so that most calls cut nothing and need not look at the groups. While its slot is on the way to another node of a
cluster, a node that has the stream but no longer everything that may belong to it refuses, and nothing is written.
"""

JOIN = Script("""
local stream, group, from, silent = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local added, kept = 0, 0
local function facts_of(pairs)
  local facts = {}
  for at = 1, #pairs, 2 do facts[pairs[at]] = pairs[at + 1] end
  return facts
end
if redis.call('EXISTS', stream) == 1 then
  for _, pairs in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    if facts_of(pairs)['name'] == group then
      for _, of_consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
        local consumer = facts_of(of_consumer)
        if consumer['pending'] == 0 and consumer['idle'] > silent then
          redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer['name'])
        end
      end
      return 0
    end
  end
  local facts = facts_of(redis.call('XINFO', 'STREAM', stream))
  added, kept = facts['entries-added'], facts['length']
end
local passed = added
if from == '0' then passed = added - kept end
redis.call('XGROUP', 'CREATE', stream, group, from, 'MKSTREAM', 'ENTRIESREAD', passed)
return 1
""")
"""Stream, group, `0` or `$`, milliseconds → 1: the group begins there, 0: there is one.

A group that begins has a lag that is known exactly. In one that is there, consumers who were silent for so long and
have nothing left are forgotten: whoever was killed never leaves, and a live one is there again with its next read.
"""

LEAVE = Script("""
local stream, group, name, idle = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local pending = redis.call('XPENDING', stream, group, '-', '+', 1000, name)
if #pending == 0 then
  redis.call('XGROUP', 'DELCONSUMER', stream, group, name)
  return 0
end
for _, entry in ipairs(pending) do
  if #redis.call('XRANGE', stream, entry[1], entry[1]) == 1 then
    redis.call('XCLAIM', stream, group, name, 0, entry[1], 'IDLE', idle, 'JUSTID')
  end
end
return #pending
""")
"""Stream, group, consumer, milliseconds → how many events others may take over at once; with none it is forgotten.

Never forgotten with events left: Redis would drop them. Nor is anything claimed that was trimmed away: that would be
the end of it, too, and nobody would be told.
"""

TAKE_LOSSES = Script("""
local losses, group = KEYS[1] .. '%', ARGV[1]
local lost = redis.call('HGET', losses, group)
if not lost then return 0 end
redis.call('HDEL', losses, group)
return tonumber(lost)
""")
"""Stream, group → how many events were cut off before the group read them, since somebody asked."""
