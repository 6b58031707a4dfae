-- Blocks of blocking keys. KEYS[1]: the domain's meta key. ARGV[1]: MessagePack list of two lists: blocking keys, and
-- for each the size of the largest suspended block whose members are wanted. Returns one item a key: false (no such
-- block), an open block as it is stored, or {stamp, size, HGETALL or nothing} of a suspended one.
local prefix = string.sub(KEYS[1], 1, -5)
local keys, members_max = unpack(cmsgpack.unpack(ARGV[1]))
local found = {}
for first = 1, #keys, 4000 do
  local last = math.min(first + 3999, #keys)
  local stored = redis.call('HMGET', prefix .. 'block', unpack(keys, first, last))
  for i = first, last do
    local block = stored[i - first + 1]
    if block and string.sub(block, 17) == 'suspended' then
      local size = redis.call('HLEN', prefix .. 'b:' .. keys[i])
      local members = {}
      if size <= members_max[i] then
        members = redis.call('HGETALL', prefix .. 'b:' .. keys[i])
      end
      block = {block, size, members}
    end
    found[i] = block
  end
end
return found
