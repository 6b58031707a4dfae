-- Steps in the life of an epoch. KEYS[1]: the domain's root key. ARGV[1]: the step; ARGV[2]: an epoch.
--   begin    make a new epoch, building, above ARGV[2] and every epoch known here. ARGV[3]: digest of its rules; ARGV[4]: the identity
--            of F as people read it. A fence that is there is lifted: it was for an epoch that can go live no more. Returns it.
--   fence    nobody writes to the live epoch any more, for ARGV[2] is about to take its place. Returns the fenced one (0: none),
--            or -1, and fences nothing, where ARGV[2] can go live no more.
--   abandon  ARGV[2] will not go live: a fenced epoch is written again, unless a newer one than ARGV[2] is being built, which
--            has the fence now. Returns 1 if the live epoch may be written, else 0.
--   lift     as abandon, of whatever is being built, where the live epoch is fenced, or there is none. Returns 1 if so, else 0.
--   live     ARGV[2], which was building, takes the place of the live one. Returns 1, or 0 if a newer one was begun meanwhile,
--            or the server that it was built through does not answer any more.
local root, step, epoch = KEYS[1], ARGV[1], ARGV[2]
local prefix = string.sub(root, 1, -5)
local function state_of(number)
  return number and redis.call('HGET', prefix .. number .. ':meta', 'state')
end

local live, last = redis.call('HGET', root, 'live'), redis.call('HGET', root, 'last')
if step == 'begin' then
  local new = string.format('%.0f', math.max(tonumber(last or '0'), tonumber(epoch)) + 1)
  redis.call('HSET', root, 'last', new)
  redis.call('HSET', prefix .. new .. ':meta', 'rules', ARGV[3], 'f', ARGV[4], 'state', 'building', 'server', trusted_now(), 'clock', 0, 'sequence', 0)
  if state_of(live) == 'retired' then
    redis.call('HSET', prefix .. live .. ':meta', 'state', 'live')
  end
  return tonumber(new)
end
if step == 'fence' then
  if last ~= epoch or state_of(epoch) ~= 'building' then
    return -1
  end
  if state_of(live) then
    redis.call('HSET', prefix .. live .. ':meta', 'state', 'retired')
    return tonumber(live)
  end
  return 0
end
if step == 'abandon' then
  if state_of(epoch) == 'building' then
    redis.call('HSET', prefix .. epoch .. ':meta', 'state', 'abandoned')
  end
  if state_of(live) == 'retired' and state_of(last) ~= 'building' then
    redis.call('HSET', prefix .. live .. ':meta', 'state', 'live')
  end
  return state_of(live) == 'live' and 1 or 0
end
if step == 'lift' then
  local first = not state_of(live) and state_of(last) == 'building'
  if state_of(live) ~= 'retired' and not first then
    return 0
  end
  if state_of(last) == 'building' then
    redis.call('HSET', prefix .. last .. ':meta', 'state', 'abandoned')
  end
  if not first then
    redis.call('HSET', prefix .. live .. ':meta', 'state', 'live')
  end
  return 1
end
local server = server_now()
local through = redis.call('HGET', prefix .. epoch .. ':meta', 'server')
if last ~= epoch or state_of(epoch) ~= 'building' or string.sub(through, 1, #server) ~= server then
  return 0
end
-- What it has to tell counts from now on: the epoch before may have told more since the first of it was put into the outbox.
local meta = prefix .. epoch .. ':meta'
redis.call('HSET', meta, 'state', 'live', 'live_us', told_now(root, ARGV[3]), 'wave', redis.call('HGET', meta, 'sequence'))
redis.call('HSET', root, 'live', epoch)
return 1
