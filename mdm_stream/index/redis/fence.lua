-- What every script begins with: this text is put before each of them.

-- The server that answers: its process, since a restart may have lost the last writes, and the history that it serves, since
-- a failover may have.
local function server_now()
  local info = redis.call('INFO', 'server', 'replication')
  return string.match(info, 'run_id:(%x+)') .. '/' .. string.match(info, 'master_replid:(%x+)') .. '/'
end

-- A server's name together with the time from which it is trusted.
local function trusted_now()
  local time = redis.call('TIME')
  return server_now() .. time[1] .. string.format('%06d', time[2])
end

-- The fence: an epoch is written by one rule set under one F, in one state, through the server that has all its writes so far, and has had
-- them since the writer opened it. Returns what is wrong, or nothing.
local function fenced(meta, rules, state, server)
  local held = redis.call('HMGET', meta, 'rules', 'state', 'server')
  if not held[2] then
    return redis.error_reply('MDMGONE the index is not there any more')
  end
  if held[1] ~= rules or held[2] ~= state then
    return redis.error_reply('MDMFENCED another epoch, rule set or F has taken over the index')
  end
  local now = server_now()
  if held[3] ~= server or string.sub(held[3], 1, #now) ~= now then
    return redis.error_reply('MDMDOUBT another server answers than the one that had all writes: the last ones may be missing')
  end
end

-- When what is told now counts as committed, in microseconds: the server's clock, but not before what was told last, which the
-- domain's root key keeps over epochs and failovers, and not before since_us. So committed_at has the order of (epoch, sequence)
-- whatever the clock does.
local function told_now(root, since_us)
  local time = redis.call('TIME')
  local now_us, last_us = tonumber(time[1]) * 1000000 + tonumber(time[2]), tonumber(redis.call('HGET', root, 'told_us') or '0')
  local told_us = string.format('%.0f', math.max(now_us, last_us, tonumber(since_us or '0')))
  redis.call('HSET', root, 'told_us', told_us)
  return told_us
end
