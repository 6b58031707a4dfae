-- Blocks of blocking keys. KEYS[1]: the domain's meta key. ARGV[1]: the largest size whose members are wanted;
-- ARGV[2]: MessagePack list of blocking keys. Returns one item a key: HGETALL of a small block (the field '' holds its
-- stamp), else {size, stamp}.
local prefix = string.sub(KEYS[1], 1, -5)
local members_max = tonumber(ARGV[1])
local found = {}
for i, key in ipairs(cmsgpack.unpack(ARGV[2])) do
  local block = prefix .. 'b:' .. key
  local size = redis.call('HLEN', block) - 1
  if size > members_max then
    found[i] = {size, redis.call('HGET', block, '')}
  elseif size < 0 then
    found[i] = {}
  else
    found[i] = redis.call('HGETALL', block)
  end
end
return found
