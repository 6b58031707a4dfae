-- The components around records. KEYS[1]: the domain's meta key. ARGV[1]: MessagePack list of references.
-- Returns {component id of each reference (false if none), {id, stored component, ...}, {reference, HVALS of its REVIEW edges, ...}};
-- the edges are those of the references themselves and of every member of the components.
local prefix = string.sub(KEYS[1], 1, -5)
local refs = cmsgpack.unpack(ARGV[1])
local ids, components, edges = {}, {}, {}
local seen_component, seen_ref = {}, {}

local function add_edges(ref)
  if not seen_ref[ref] then
    seen_ref[ref] = true
    local held = redis.call('HVALS', prefix .. 'e:' .. ref)
    if #held > 0 then
      edges[#edges + 1] = ref
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
return {ids, components, edges}
