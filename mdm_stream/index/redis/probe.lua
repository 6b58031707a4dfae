-- What the scripts of an index need of a server, which may refuse it. KEYS[1]: a key, with a hash tag. Returns what the server says
-- against INFO, TIME and the use of a key that was not declared, each; nothing where it says nothing. Writes nothing.
local function refusal(...)
  local reply = redis.pcall(...)
  return type(reply) == 'table' and reply.err or ''
end
return {refusal('INFO', 'server', 'replication'), refusal('TIME'), refusal('EXISTS', KEYS[1] .. ':undeclared')}
