-- Find the live epoch of a domain. KEYS[1]: its root key. ARGV: digest of the rules; '1' to make the first epoch where there is
-- none; '1' to take over an epoch that was written through another server, if it has come at least as far as what was
-- witnessed; epoch, clock and sequence that were witnessed (0: nothing was, and only then a first epoch is made);
-- the identity of F as people read it, which a first epoch keeps.
-- Returns {status, epoch, clock, server}. Status: ok, absent, rules (of another rule set or F: the digest and the F that the
-- epoch has come last in the reply), fenced (another epoch is about to
-- take its place, or to be the first one), doubt (another server, not taken over). The server is named together with the time at which it was
-- first trusted: whoever had opened the epoch before is told by that, should the server that he wrote to have lost something.
local root = KEYS[1]
local prefix = string.sub(root, 1, -5)
local rules, create, take_over = ARGV[1], ARGV[2] == '1', ARGV[3] == '1'
local witnessed_epoch, witnessed_clock, witnessed_sequence = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local server, trusted = server_now(), trusted_now()

local epoch = redis.call('HGET', root, 'live')
local held = epoch and redis.call('HMGET', prefix .. epoch .. ':meta', 'rules', 'state', 'server', 'clock', 'sequence')
if not held or not held[2] then
  if not create or witnessed_epoch > 0 then
    return {'absent', 0, 0, ''}
  end
  -- One that is being built is to be the first: what comes meanwhile belongs into it, and not beside it.
  local last = redis.call('HGET', root, 'last') or '0'
  if redis.call('HGET', prefix .. last .. ':meta', 'state') == 'building' then
    return {'fenced', tonumber(last), 0, ''}
  end
  local first = string.format('%.0f', tonumber(last) + 1)
  redis.call('HSET', root, 'live', first, 'last', first)
  redis.call('HSET', prefix .. first .. ':meta', 'rules', rules, 'f', ARGV[7], 'state', 'live', 'server', trusted, 'clock', 0, 'sequence', 0)
  return {'ok', tonumber(first), 0, trusted}
end
local clock, sequence = tonumber(held[4] or '0'), tonumber(held[5] or '0')
if held[1] ~= rules then
  return {'rules', tonumber(epoch), clock, held[3], held[1], redis.call('HGET', prefix .. epoch .. ':meta', 'f') or ''}
end
if held[2] ~= 'live' then
  return {'fenced', tonumber(epoch), clock, held[3]}
end
if string.sub(held[3], 1, #server) ~= server then
  local same = witnessed_epoch == tonumber(epoch)
  local behind = witnessed_epoch > tonumber(epoch) or (same and (witnessed_clock > clock or witnessed_sequence > sequence))
  if behind or not take_over then
    return {'doubt', tonumber(epoch), clock, held[3]}
  end
  redis.call('HSET', prefix .. epoch .. ':meta', 'server', trusted)
  return {'ok', tonumber(epoch), clock, trusted}
end
return {'ok', tonumber(epoch), clock, held[3]}
