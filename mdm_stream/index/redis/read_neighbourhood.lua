-- The components around records. KEYS[1]: the domain's meta key. ARGV[1]: MessagePack list of three lists of references: those whose
-- components are asked for; those of them whose REVIEW edges will change; others whose REVIEW edges are asked for.
-- Returns {component id of each of the first (false if none), {id, stored component, ...}, {reference, stamp, HVALS of its REVIEW
-- edges, ...}}; the edges are those of the first and third, of every member of the components, and of the other ends of those of the second.
local prefix = string.sub(KEYS[1], 1, -5)
local refs, changing, ends = unpack(cmsgpack.unpack(ARGV[1]))
local ids, components, edges = {}, {}, {}
local seen_component, seen_ref = {}, {}

local function add_edges(several)
  for from = 1, #several, 4000 do
    local run = {unpack(several, from, math.min(from + 3999, #several))}
    for i, stamp in ipairs(redis.call('HMGET', prefix .. 'es', unpack(run))) do
      local ref = run[i]
      if stamp and not seen_ref[ref] then
        seen_ref[ref] = true
        edges[#edges + 1] = ref
        edges[#edges + 1] = stamp
        edges[#edges + 1] = redis.call('HVALS', prefix .. 'e:' .. ref)
      end
    end
  end
end

-- Members are the first thing in a page, and so in a component that is stored whole. A directory is marked with "*".
local function add_members(found, page, from)
  local _, members = cmsgpack.unpack_one(page, from)
  for _, member in ipairs(members) do
    found[#found + 1] = member
  end
end

local function members_of(stored)
  local found = {}
  if string.byte(stored, 17) ~= 42 then
    add_members(found, stored, 16)
    return found
  end
  local firsts = cmsgpack.unpack(string.sub(stored, 18))[1]
  for from = 1, #firsts, 4000 do
    local run = {unpack(firsts, from, math.min(from + 3999, #firsts))}
    for _, page in ipairs(redis.call('HMGET', prefix .. 'page', unpack(run))) do
      if page then
        add_members(found, page, 0)
      end
    end
  end
  return found
end

for i, ref in ipairs(refs) do
  local id = redis.call('HGET', prefix .. 'of', ref)
  local stored = id and not seen_component[id] and redis.call('HGET', prefix .. 'comp', id)
  if stored then
    seen_component[id] = true
    components[#components + 1] = id
    components[#components + 1] = stored
    add_edges(members_of(stored))
  end
  -- An epoch that is being dropped may lack the component: then the record has none, and no commit will be let through.
  ids[i] = id and seen_component[id] and id or false
end
add_edges(refs)
for _, ref in ipairs(changing) do
  add_edges(redis.call('HKEYS', prefix .. 'e:' .. ref))
end
add_edges(ends)
return {ids, components, edges}
