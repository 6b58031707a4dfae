-- One atomic commit: check every expectation, then write everything, or write nothing.
-- KEYS[1]: the domain's meta key; every other key shares its hash tag, so all are in one slot.
-- ARGV[1]: MessagePack map, see RedisIndex._payload. Returns {} when applied, else the list of what had changed.
local meta = KEYS[1]
local prefix = string.sub(meta, 1, -5)
local p = cmsgpack.unpack(ARGV[1])

local held = redis.call('HMGET', meta, 'rules', 'epoch')
if held[1] ~= p.rules or held[2] ~= p.epoch then
  return redis.error_reply('MDMFENCED the index now belongs to another rule set or epoch')
end

local conflicts = {}
for i = 1, #p.expect_records, 2 do
  local stored = redis.call('HGET', prefix .. 'rec', p.expect_records[i])
  if (stored and string.sub(stored, 1, 16) or '') ~= p.expect_records[i + 1] then
    conflicts[#conflicts + 1] = 'record'
  end
end
for i = 1, #p.expect_components, 2 do
  local stored = redis.call('HGET', prefix .. 'comp', p.expect_components[i])
  if (stored and string.sub(stored, 1, 16) or '') ~= p.expect_components[i + 1] then
    conflicts[#conflicts + 1] = 'component'
  end
end
for i = 1, #p.expect_blocks, 2 do
  if (redis.call('HGET', prefix .. 'b:' .. p.expect_blocks[i], '') or '') ~= p.expect_blocks[i + 1] then
    conflicts[#conflicts + 1] = 'block'
  end
end
for i = 1, #p.expect_suspended, 2 do
  local size = redis.call('HLEN', prefix .. 'b:' .. p.expect_suspended[i]) - 1
  if size <= p.max_block_size or size + p.expect_suspended[i + 1] <= p.max_block_size then
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

each_run('HSET', prefix .. 'rec', p.put_records)
for i = 1, #p.put_blocks, 2 do
  local block = prefix .. 'b:' .. p.put_blocks[i]
  each_run('HSET', block, p.put_blocks[i + 1])
  redis.call('HSET', block, '', stamp)
end
for i = 1, #p.drop_blocks, 2 do
  local block = prefix .. 'b:' .. p.drop_blocks[i]
  each_run('HDEL', block, p.drop_blocks[i + 1])
  if redis.call('HLEN', block) <= 1 then
    redis.call('DEL', block)
  else
    redis.call('HSET', block, '', stamp)
  end
end
for i = 1, #p.put_components, 2 do
  redis.call('HSET', prefix .. 'comp', p.put_components[i], stamp .. p.put_components[i + 1])
end
each_run('HDEL', prefix .. 'comp', p.drop_components)
each_run('HSET', prefix .. 'of', p.component_of)
each_run('HDEL', prefix .. 'of', p.drop_refs)
each_run('HSET', prefix .. 'xw', p.crosswalk)
each_run('HDEL', prefix .. 'xw', p.drop_refs)
each_run('HSET', prefix .. 'gold', p.put_golden)
each_run('HDEL', prefix .. 'gold', p.drop_golden)
for i = 1, #p.put_edges, 3 do
  redis.call('HSET', prefix .. 'e:' .. p.put_edges[i], p.put_edges[i + 1], p.put_edges[i + 2])
end
for i = 1, #p.drop_edges, 2 do
  redis.call('HDEL', prefix .. 'e:' .. p.drop_edges[i], p.drop_edges[i + 1])
end
each_run('HSET', prefix .. 'review', p.put_review)
each_run('HDEL', prefix .. 'review', p.drop_review)
each_run('SREM', prefix .. 'pend', p.dequeue)
each_run('SADD', prefix .. 'pend', p.enqueue)

if #p.changes > 0 then
  local last = redis.call('HINCRBY', meta, 'sequence', #p.changes)
  local time = redis.call('TIME')
  local committed_at_us = time[1] .. string.format('%06d', time[2])
  for i, content in ipairs(p.changes) do
    local sequence = string.format('%.0f', last - #p.changes + i)
    redis.call('XADD', prefix .. 'out', p.epoch .. '-' .. sequence, 'c', content, 't', committed_at_us)
  end
end
return {}
