-- Steps in the life of an epoch. KEYS[1]: the domain's root key. ARGV[1]: the step; ARGV[2]: an epoch.
--   begin    make a new epoch, building, above ARGV[2] and every epoch known here. ARGV[3]: digest of its rules. Returns it.
--   fence    nobody writes to the live epoch any more, for ARGV[2] is about to take its place. Returns the fenced one (0: none).
--   unfence  ARGV[2], which was fenced for ARGV[3], is written again, unless a newer epoch than that was begun.
--   live     ARGV[2], which was building, takes the place of the live one. Returns 1, or 0 if a newer one was begun meanwhile.
local root, step, epoch = KEYS[1], ARGV[1], ARGV[2]
local prefix = string.sub(root, 1, -5)
local live = redis.call('HGET', root, 'live')
if step == 'begin' then
  local last = tonumber(redis.call('HGET', root, 'last') or '0')
  local new = string.format('%.0f', math.max(last, tonumber(epoch)) + 1)
  local server = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  redis.call('HSET', root, 'last', new)
  redis.call('HSET', prefix .. new .. ':meta', 'rules', ARGV[3], 'state', 'building', 'server', server, 'clock', 0, 'sequence', 0)
  return tonumber(new)
end
if step == 'fence' then
  if live and redis.call('HGET', prefix .. live .. ':meta', 'state') then
    redis.call('HSET', prefix .. live .. ':meta', 'state', 'retired')
    return tonumber(live)
  end
  return 0
end
if step == 'unfence' then
  if live == epoch and redis.call('HGET', root, 'last') == ARGV[3] and redis.call('HGET', prefix .. live .. ':meta', 'state') == 'retired' then
    redis.call('HSET', prefix .. live .. ':meta', 'state', 'live')
    return 1
  end
  return 0
end
if redis.call('HGET', root, 'last') ~= epoch or redis.call('HGET', prefix .. epoch .. ':meta', 'state') ~= 'building' then
  return 0
end
redis.call('HSET', prefix .. epoch .. ':meta', 'state', 'live')
redis.call('HSET', root, 'live', epoch)
return 1
