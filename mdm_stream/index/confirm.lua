-- Whether an epoch may still be written, and which records are erased by now. KEYS[1]: its meta key. ARGV[1]: digest of the
-- rules; ARGV[2]: the state that it must be in; ARGV[3]: the server that must have all its writes; ARGV[4]: the revision of erased
-- records; ARGV[5]: MessagePack list of references.
-- Returns the erased ones of them.
local held = redis.call('HMGET', KEYS[1], 'rules', 'state', 'server', 'clock', 'sequence')
if not held[2] then
  return redis.error_reply('MDMGONE the index is not there any more')
end
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then
  return redis.error_reply('MDMFENCED another epoch or rule set has taken over the index')
end
local info = redis.call('INFO', 'server', 'replication')
local server = string.match(info, 'run_id:(%x+)') .. '/' .. string.match(info, 'master_replid:(%x+)') .. '/'
if held[3] ~= ARGV[3] or string.sub(held[3], 1, #server) ~= server then
  return redis.error_reply('MDMDOUBT another server answers than the one that had all writes: the last ones may be missing')
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
