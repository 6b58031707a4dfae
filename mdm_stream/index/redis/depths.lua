#!lua flags=no-writes
-- How much waits in an epoch, and how long the oldest of it has waited. KEYS[1]: the epoch's meta key.
-- Returns {golden changes to be published, age of the oldest, records to be evaluated again, open cases of the review
-- queue, age of the oldest}; ages in microseconds, 0 where nothing waits. What an epoch has to tell since it went live
-- waits since then.
local prefix = string.sub(KEYS[1], 1, -5)
local time = redis.call('TIME')
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local function age(since_us)
  return since_us and math.max(0, now_us - tonumber(since_us)) or 0
end

local committed_us
local first = redis.call('XRANGE', prefix .. 'out', '-', '+', 'COUNT', 1)[1]
if first then
  local fields = first[2]
  for i = 1, #fields, 2 do
    if fields[i] == 't' then
      committed_us = math.max(tonumber(fields[i + 1]), tonumber(redis.call('HGET', KEYS[1], 'live_us') or '0'))
    end
  end
end
local oldest = redis.call('ZRANGEBYSCORE', prefix .. 'since', '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {
  redis.call('XLEN', prefix .. 'out'), age(committed_us),
  redis.call('SCARD', prefix .. 'pend'),
  redis.call('HLEN', prefix .. 'review'), age(oldest[2]),
}
