"""What Redis does in one step for the cache and the throttle, so that nothing comes between. In Lua.

An entry is a hash of its value and of each of its tags with the mark that the tag had when the value was loaded.
A tag is a key with a random mark. To invalidate is to forget the mark: no entry with it is good any more, and the
next load makes another. So a Redis that lost everything can never take a value of before for one of now.
"""

GET = """
local entry = redis.call('HGETALL', KEYS[1])
local found, tags = false, {}
for i = 1, #entry, 2 do
  if entry[i] == 'value' then
    found = entry[i + 1]
  elseif redis.call('GET', ARGV[1] .. entry[i]) == entry[i + 1] then
    tags[#tags + 1] = string.sub(entry[i], 5)
  else
    return false
  end
end
return found and {found, redis.call('PTTL', KEYS[1]), unpack(tags)}
"""
"""KEYS: the entry. ARGV: what stands before `tag:` in keys. Its value, milliseconds to live, and tags; or nothing."""

MARK = """
local marks = {}
for i, tag in ipairs(KEYS) do
  redis.call('SET', tag, ARGV[1], 'NX', 'PX', ARGV[2])
  marks[i] = redis.call('GET', tag)
end
return marks
"""
"""KEYS: the tags. ARGV: a new mark for those that have none, and for how many milliseconds. The marks of all."""

SET = """
for i = 2, #KEYS do
  if redis.call('GET', KEYS[i]) ~= ARGV[2 * i] then return 0 end
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'value', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
for i = 2, #KEYS do
  redis.call('HSET', KEYS[1], 'tag:' .. ARGV[2 * i - 1], ARGV[2 * i])
  redis.call('PEXPIRE', KEYS[i], ARGV[2], 'GT')
end
return 1
"""
"""KEYS: the entry, the tags. ARGV: value, milliseconds to live, then of each tag the name and the mark. 1: stored."""

INVALIDATE = """
for _, tag in ipairs(KEYS) do redis.call('DEL', tag) end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
"""
"""KEYS: the tags. ARGV: the channel, and what to tell all processes there."""

TAKE = """
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
"""
"""KEYS: a turn. ARGV: whose it is to be, and for how many milliseconds at most. Whether it is."""
TAKEN = 0

RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""
"""KEYS: a turn. ARGV: whose it is."""

COUNT = """
if tonumber(redis.call('GET', KEYS[1]) or 0) >= tonumber(ARGV[1]) then
  local wait = redis.call('PTTL', KEYS[1])
  if wait > 0 then return wait end
  redis.call('DEL', KEYS[1])
end
if redis.call('INCR', KEYS[1]) == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
"""KEYS: what is tried. ARGV: how often, and in how many milliseconds. Milliseconds to wait; 0: it was counted."""
