-- The oldest outbox entries after an id, until there are enough of them or enough bytes.
-- KEYS[1]: the epoch's meta key. ARGV: the id to begin after ('' for the first), the most entries, the bytes after which
-- no further entry is read. Returns the entries as XRANGE does; at least one if there is any. What was put there before the
-- epoch went live was told when it did, and gets a field 'w': the sequence of the last of that.
local out = string.sub(KEYS[1], 1, -5) .. 'out'
local live_us, wave = unpack(redis.call('HMGET', KEYS[1], 'live_us', 'wave'))
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
    local size, fields = 0, entry[2]
    if wave and tonumber(string.match(entry[1], '%d+$')) <= tonumber(wave) then
      fields[#fields + 1] = 'w'
      fields[#fields + 1] = wave
    end
    for i, item in ipairs(fields) do
      size = size + #item
      if live_us and i % 2 == 0 and fields[i - 1] == 't' and tonumber(item) < tonumber(live_us) then
        fields[i] = live_us
      end
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
