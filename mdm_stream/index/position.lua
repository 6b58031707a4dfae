-- How far an epoch has come. KEYS[1]: its meta key. ARGV[1]: digest of the rules; ARGV[2]: the state that it must be in;
-- ARGV[3]: the server that must have all its writes.
-- Returns {clock, sequence}, or an error if it may not be written any more: then nobody can say what became of a write.
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
return {tonumber(held[4] or '0'), tonumber(held[5] or '0')}
