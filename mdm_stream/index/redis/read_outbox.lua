-- The oldest outbox entries after an id, until there are enough of them or enough bytes.
-- KEYS[1]: the epoch's meta key. ARGV: the id to begin after ('' for the first), the most entries, the bytes after which
-- no further entry is read. Returns the entries as XRANGE does; at least one if there is any.
local out = string.sub(KEYS[1], 1, -5) .. 'out'
local after, limit, bytes_max = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

-- Entries are read a few at a time, so that hardly more than what is returned is ever in the script's memory.
local page, found, bytes = 4, {}, 0
while #found < limit and bytes < bytes_max do
  local first = after == '' and '-' or '(' .. after
  local entries = redis.call('XRANGE', out, first, '+', 'COUNT', math.min(page, limit - #found))
  if #entries == 0 then
    break
  end
  for _, entry in ipairs(entries) do
    local size = 0
    for _, item in ipairs(entry[2]) do
      size = size + #item
    end
    if #found > 0 and bytes + size > bytes_max then
      return found
    end
    found[#found + 1] = entry
    bytes = bytes + size
    after = entry[1]
  end
end
return found
