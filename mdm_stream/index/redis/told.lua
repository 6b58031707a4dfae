-- The latest time that was told of a domain, and the server's clock, both in microseconds. KEYS[1]: the domain's root key.
local time = redis.call('TIME')
return {redis.call('HGET', KEYS[1], 'told_us') or '0', time[1] .. string.format('%06d', time[2])}
