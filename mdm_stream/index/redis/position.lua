#!lua flags=allow-oom
-- How far an epoch has come. KEYS[1]: its meta key. ARGV[1]: digest of the rules; ARGV[2]: the state that it must be in;
-- ARGV[3]: the server that must have all its writes.
-- Returns {clock, sequence, replicas that follow}, or an error if it may not be written any more: then nobody can say what became of
-- a write. The clock is written as it is: WAIT covers what its own connection wrote, and with that all that was written before, by
-- whatever connection. A full server takes it too (allow-oom), for what is published then frees memory.
local fault = fenced(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if fault then
  return fault
end
local held = redis.call('HMGET', KEYS[1], 'clock', 'sequence')
redis.call('HSET', KEYS[1], 'clock', held[1] or '0')
local _, replicas = string.gsub(redis.call('INFO', 'replication'), 'state=online', '')
return {tonumber(held[1] or '0'), tonumber(held[2] or '0'), replicas}
