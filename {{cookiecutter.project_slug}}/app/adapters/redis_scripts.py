"""Lua scripts that Redis runs atomically for the cache and the throttle.

An entry is a hash of its value and, for each of its tags, the mark that the tag had when the value was loaded.
A tag is a key that contains a random mark. Invalidation deletes the mark: entries with it are no longer valid, and the
next load creates another. So a Redis that lost its data can never mistake an old value for a current one.
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
"""KEYS: the entry. ARGV: the key prefix before `tag:`. Returns value, remaining milliseconds and tags; or nothing."""

MARK = """
local marks = {}
for i, tag in ipairs(KEYS) do
  redis.call('SET', tag, ARGV[1], 'NX', 'PX', ARGV[2])
  marks[i] = redis.call('GET', tag)
end
return marks
"""
"""KEYS: the tags. ARGV: a new mark for tags without one, and its lifetime in milliseconds. Returns all marks."""

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
"""KEYS: the entry, the tags. ARGV: value, lifetime in milliseconds, then name and mark of each tag. 1: stored."""

INVALIDATE = """
for _, tag in ipairs(KEYS) do redis.call('DEL', tag) end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
"""
"""KEYS: the tags. ARGV: the channel, and the message to publish there."""

TAKE = """
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
"""
"""KEYS: a lock. ARGV: its new owner, and the lease in milliseconds. Returns 1 if the lock was acquired, else 0."""
TAKEN = 0

RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""
"""KEYS: a lock. ARGV: its owner."""

COUNT = """
if tonumber(redis.call('GET', KEYS[1]) or 0) >= tonumber(ARGV[1]) then
  local wait = redis.call('PTTL', KEYS[1])
  if wait > 0 then return wait end
  redis.call('DEL', KEYS[1])
end
if redis.call('INCR', KEYS[1]) == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
"""KEYS: a counter. ARGV: limit, and window in milliseconds. Returns the milliseconds to wait; 0: it was counted."""

TAKE_BACK = """
if tonumber(redis.call('GET', KEYS[1]) or 0) > 1 then redis.call('DECR', KEYS[1]) else redis.call('DEL', KEYS[1]) end
return 1
"""
"""KEYS: a counter, which is decremented within its window."""
