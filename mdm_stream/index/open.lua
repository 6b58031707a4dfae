-- Which epoch of a domain is live, and whether it may be trusted.
-- KEYS[1]: the domain's root key. ARGV: digest of the rules; '1' to make the first epoch where there is none; '1' to take
-- over an epoch that was written through another server process, if it has come at least as far as what was witnessed; the
-- epoch and the clock that were witnessed (0 and 0: nothing was, and only then a first epoch is made).
-- Returns {status, epoch, clock}. Status: ok, absent, rules (of another rule set), doubt (another server, not taken over).
local root = KEYS[1]
local prefix = string.sub(root, 1, -5)
local rules, create, take_over = ARGV[1], ARGV[2] == '1', ARGV[3] == '1'
local witnessed_epoch, witnessed_clock = tonumber(ARGV[4]), tonumber(ARGV[5])
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')

local epoch = redis.call('HGET', root, 'live')
local held = epoch and redis.call('HMGET', prefix .. epoch .. ':meta', 'rules', 'state', 'server', 'clock')
if not held or not held[2] then
  if not create or witnessed_epoch > 0 then
    return {'absent', 0, 0}
  end
  redis.call('HSET', root, 'live', '1', 'last', '1')
  redis.call('HSET', prefix .. '1:meta', 'rules', rules, 'state', 'live', 'server', server, 'clock', 0, 'sequence', 0)
  return {'ok', 1, 0}
end
local clock = tonumber(held[4] or '0')
if held[1] ~= rules then
  return {'rules', tonumber(epoch), clock}
end
if held[3] ~= server then
  local behind = witnessed_epoch > tonumber(epoch) or (witnessed_epoch == tonumber(epoch) and witnessed_clock > clock)
  if behind or not take_over then
    return {'doubt', tonumber(epoch), clock}
  end
  redis.call('HSET', prefix .. epoch .. ':meta', 'server', server)
end
return {'ok', tonumber(epoch), clock}
