-- Say of the live epoch that it is of another rule set, which gives the same for all that it holds. KEYS[1]: the domain's root
-- key. ARGV: the digest that it must have, the digest that it gets. Returns 1, or 0 if it has another one or may not be written.
local prefix = string.sub(KEYS[1], 1, -5)
local epoch = redis.call('HGET', KEYS[1], 'live')
if not epoch then
  return 0
end
local held = redis.call('HMGET', prefix .. epoch .. ':meta', 'rules', 'state')
if held[1] ~= ARGV[1] or held[2] ~= 'live' then
  return 0
end
redis.call('HSET', prefix .. epoch .. ':meta', 'rules', ARGV[2])
return 1
