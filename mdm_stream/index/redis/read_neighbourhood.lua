-- The components around records. KEYS[1]: the domain's meta key. ARGV[1]: MessagePack list of three lists of references: those whose
-- components are asked for; those of them whose REVIEW edges will change; others whose REVIEW edges are asked for.
-- Returns {component id of each of the first (false if none), {id, stored component, ...}, {reference, stamp, HVALS of its REVIEW
-- edges, ...}}; the edges are those of the first and third, of every member of the components, and of the other ends of those of the second.
local prefix = string.sub(KEYS[1], 1, -5)
local refs, changing, ends = unpack(cmsgpack.unpack(ARGV[1]))
local ids, components, edges = {}, {}, {}
local seen_component, seen_ref = {}, {}

local function add_edges(ref)
  if not seen_ref[ref] then
    seen_ref[ref] = true
    local held = redis.call('HVALS', prefix .. 'e:' .. ref)
    if #held > 0 then
      edges[#edges + 1] = ref
      edges[#edges + 1] = redis.call('HGET', prefix .. 'es', ref) or ''
      edges[#edges + 1] = held
    end
  end
end

for i, ref in ipairs(refs) do
  local id = redis.call('HGET', prefix .. 'of', ref)
  local stored = id and not seen_component[id] and redis.call('HGET', prefix .. 'comp', id)
  add_edges(ref)
  if stored then
    seen_component[id] = true
    components[#components + 1] = id
    components[#components + 1] = stored
    for _, member in ipairs(cmsgpack.unpack(string.sub(stored, 17))[1]) do
      add_edges(member)
    end
  end
  -- An epoch that is being dropped may lack the component: then the record has none, and no commit will be let through.
  ids[i] = id and seen_component[id] and id
end
for _, ref in ipairs(changing) do
  for _, other in ipairs(redis.call('HKEYS', prefix .. 'e:' .. ref)) do
    add_edges(other)
  end
end
for _, ref in ipairs(ends) do
  add_edges(ref)
end
return {ids, components, edges}
