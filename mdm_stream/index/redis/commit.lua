-- One atomic commit: check every expectation, then write everything, or write nothing.
-- KEYS[1]: the epoch's meta key, KEYS[2]: the domain's root key; every other key shares their hash tag, so all are in one slot.
-- ARGV[1]: MessagePack map, see RedisIndex._parts and OpenEpoch.payload. Returns {} when applied, else the list of what had changed.
local meta = KEYS[1]
local prefix = string.sub(meta, 1, -5)
local p = cmsgpack.unpack(ARGV[1])

local fault = fenced(meta, p.rules, p.state, p.server)
if fault then
  return fault
end
if p.state == 'live' then
  local reason = redis.call('HGET', KEYS[2], 'held')
  if reason then
    return redis.error_reply('MDMHELD writing to the domain is held: ' .. reason)
  end
end

local conflicts = {}
-- Compare what is stored with what was read. A revision or stamp is the first 16
-- characters of a stored value.
local function expect(hash, flat, what)
  for first = 1, #flat, 4000 do
    local names = {}
    for i = first, math.min(first + 3999, #flat), 2 do
      names[#names + 1] = flat[i]
    end
    for i, stored in ipairs(redis.call('HMGET', prefix .. hash, unpack(names))) do
      if (stored and string.sub(stored, 1, 16) or '') ~= flat[first + 2 * i - 1] then
        conflicts[#conflicts + 1] = what
      end
    end
  end
end

expect('rec', p.expect_records, 'record')
expect('comp', p.expect_components, 'component')
expect('block', p.expect_blocks, 'block')
expect('es', p.expect_edges, 'edges')
for i = 1, #p.expect_suspended, 3 do
  local size = redis.call('HLEN', prefix .. 'b:' .. p.expect_suspended[i])
  local growth, limit = p.expect_suspended[i + 1], p.expect_suspended[i + 2]
  if size <= limit or size + growth <= limit then
    conflicts[#conflicts + 1] = 'suspended'
  end
end
if #conflicts > 0 then
  return conflicts
end

-- HSET, HDEL and the like in runs: Lua can put only so many values on its stack.
local function each_run(command, key, values)
  for first = 1, #values, 4000 do
    redis.call(command, key, unpack(values, first, math.min(first + 3999, #values)))
  end
end

-- The first write is one that a full Redis refuses, so that it refuses the whole script.
local stamp = string.format('%016.0f', redis.call('HINCRBY', meta, 'clock', 1))

-- Put the stamp in front of every second value.
local function stamped(flat)
  for i = 2, #flat, 2 do
    flat[i] = stamp .. flat[i]
  end
  return flat
end

each_run('HSET', prefix .. 'rec', p.put_records)
each_run('HSET', prefix .. 'block', stamped(p.put_blocks))
each_run('HDEL', prefix .. 'block', p.drop_blocks)
for _, key in ipairs(p.suspend) do
  redis.call('HSET', prefix .. 'block', key, stamp .. 'suspended')
end
for _, key in ipairs(p.resume) do
  redis.call('DEL', prefix .. 'b:' .. key)
end
for i = 1, #p.grow, 2 do
  each_run('HSET', prefix .. 'b:' .. p.grow[i], p.grow[i + 1])
  redis.call('HSET', prefix .. 'block', p.grow[i], stamp .. 'suspended')
end
for i = 1, #p.shrink, 2 do
  each_run('HDEL', prefix .. 'b:' .. p.shrink[i], p.shrink[i + 1])
  redis.call('HSET', prefix .. 'block', p.shrink[i], stamp .. 'suspended')
end
-- A large component has a directory of its pages, marked with "*" (pages.py). A page that none has any more goes.
local function firsts_of(stored, from)
  if stored and string.byte(stored, from) == 42 then
    return cmsgpack.unpack(string.sub(stored, from + 1))[1]
  end
  return {}
end
local changing, standing, gone = {}, {}, {}
for i = 1, #p.put_components, 2 do
  changing[#changing + 1] = p.put_components[i]
  for _, first in ipairs(firsts_of(p.put_components[i + 1], 1)) do
    standing[first] = true
  end
end
for _, id in ipairs(p.drop_components) do
  changing[#changing + 1] = id
end
for from = 1, #changing, 4000 do
  local names = {unpack(changing, from, math.min(from + 3999, #changing))}
  for _, stored in ipairs(redis.call('HMGET', prefix .. 'comp', unpack(names))) do
    for _, first in ipairs(firsts_of(stored, 17)) do
      if not standing[first] then
        gone[#gone + 1] = first
      end
    end
  end
end
each_run('HDEL', prefix .. 'page', gone)
each_run('HSET', prefix .. 'page', p.put_pages)
each_run('HSET', prefix .. 'comp', stamped(p.put_components))
each_run('HDEL', prefix .. 'comp', p.drop_components)
each_run('HSET', prefix .. 'of', p.component_of)
each_run('HDEL', prefix .. 'of', p.drop_refs)
each_run('HSET', prefix .. 'xw', p.crosswalk)
each_run('HDEL', prefix .. 'xw', p.drop_refs)
each_run('HSET', prefix .. 'gold', p.put_golden)
each_run('HDEL', prefix .. 'gold', p.drop_golden)
local ends = {}
for i = 1, #p.put_edges, 3 do
  redis.call('HSET', prefix .. 'e:' .. p.put_edges[i], p.put_edges[i + 1], p.put_edges[i + 2])
  ends[p.put_edges[i]] = true
end
for i = 1, #p.drop_edges, 2 do
  redis.call('HDEL', prefix .. 'e:' .. p.drop_edges[i], p.drop_edges[i + 1])
  ends[p.drop_edges[i]] = true
end
for ref in pairs(ends) do
  if redis.call('EXISTS', prefix .. 'e:' .. ref) == 1 then
    redis.call('HSET', prefix .. 'es', ref, stamp)
  else
    redis.call('HDEL', prefix .. 'es', ref)
  end
end
each_run('HSET', prefix .. 'review', p.put_review)
each_run('HDEL', prefix .. 'review', p.drop_review)
-- Since when an item is in the queue: information alone. A new epoch has it from the one before (INCR 0 reads a score).
if #p.put_review > 0 then
  local time, live = redis.call('TIME'), p.state ~= 'live' and redis.call('HGET', KEYS[2], 'live')
  for i = 1, #p.put_review, 2 do
    local pair = p.put_review[i]
    local before = live and redis.call('ZADD', string.sub(KEYS[2], 1, -5) .. live .. ':since', 'XX', 'INCR', 0, pair)
    redis.call('ZADD', prefix .. 'since', 'NX', before or time[1] .. string.format('%06d', time[2]), pair)
  end
end
each_run('ZREM', prefix .. 'since', p.drop_review)
each_run('SREM', prefix .. 'pend', p.dequeue)
each_run('SADD', prefix .. 'pend', p.enqueue)

for i = 1, #p.put_expiries, 2 do
  redis.call('ZADD', prefix .. 'exp', p.put_expiries[i + 1], p.put_expiries[i])
end
each_run('ZREM', prefix .. 'exp', p.drop_expiries)

-- What an epoch that is being built says is told when it goes live, and then only what differs from what was told before.
if p.state == 'live' and #p.changes > 0 then
  local last = redis.call('HINCRBY', meta, 'sequence', #p.changes)
  local committed_at_us = told_now(KEYS[2])
  for i, content in ipairs(p.changes) do
    local sequence = string.format('%.0f', last - #p.changes + i)
    redis.call('XADD', prefix .. 'out', p.epoch .. '-' .. sequence, 'c', content, 't', committed_at_us)
  end
end
return {}
