-- A portion of one key of another epoch into the same key of one that is being built. KEYS[1]: the meta key of the latter. ARGV[1]:
-- digest of the rules; ARGV[2]: the state that it must be in; ARGV[3]: the server that must have all its writes; ARGV[4]: MessagePack
-- list of the other epoch, the key's name, the cursor of its scan, and how many entries to look at. Without a name it is the
-- clock that is taken over (and the last call, so that a source which was dropped meanwhile is found), so that what is written from now on has later stamps. Returns {next cursor, entries copied}.
local fault = fenced(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if fault then
  return fault
end
local from, name, cursor, count = unpack(cmsgpack.unpack(ARGV[4]))
local own = string.sub(KEYS[1], 1, -5)
local base = string.match(own, '^(.*:)%d+:$')
local source, target = base .. from .. ':' .. name, own .. name
if redis.call('EXISTS', base .. from .. ':kept') == 0 then
  return redis.error_reply('MDMGONE the epoch that was kept is not there any more')
end
if name == '' then
  local clock = tonumber(redis.call('HGET', base .. from .. ':meta', 'clock') or '0')
  local held = tonumber(redis.call('HGET', KEYS[1], 'clock') or '0')
  redis.call('HSET', KEYS[1], 'clock', string.format('%.0f', math.max(clock, held)))
  return {'0', 0}
end
local kind = redis.call('TYPE', source)
kind = kind.ok or kind
local scan, put = unpack(({hash = {'HSCAN', 'HSET'}, set = {'SSCAN', 'SADD'}, zset = {'ZSCAN', 'ZADD'}})[kind] or {})
if not scan then
  return {'0', 0}
end
local reply = redis.call(scan, source, cursor, 'COUNT', count)
local values = reply[2]
-- A small key is answered whole, whatever the count: Lua can put only so many values on its stack.
for first = 1, #values, 4000 do
  local run = {unpack(values, first, math.min(first + 3999, #values))}
  if kind == 'zset' then
    for i = 1, #run, 2 do
      run[i], run[i + 1] = run[i + 1], run[i]
    end
  end
  redis.call(put, target, unpack(run))
end
return {reply[1], kind == 'set' and #values or #values / 2}
