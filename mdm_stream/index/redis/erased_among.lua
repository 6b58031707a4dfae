-- Whether an epoch may still be written, and which records are erased by now. KEYS[1]: its meta key. ARGV[1]: digest of the
-- rules; ARGV[2]: the state that it must be in; ARGV[3]: the server that must have all its writes; ARGV[4]: the revision of erased
-- records; ARGV[5]: MessagePack list of references.
-- Returns the erased ones of them.
local fault = fenced(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if fault then
  return fault
end
local prefix = string.sub(KEYS[1], 1, -5)
local refs = cmsgpack.unpack(ARGV[5])
local erased = {}
for first = 1, #refs, 1000 do
  local last = math.min(first + 999, #refs)
  for i, stored in ipairs(redis.call('HMGET', prefix .. 'rec', unpack(refs, first, last))) do
    if stored and string.sub(stored, 1, 16) == ARGV[4] then
      erased[#erased + 1] = refs[first + i - 1]
    end
  end
end
return erased
