-- The server that answers: its run id and replication id. KEYS[1]: any key of the domain, so that a Cluster asks the right node.
local info = redis.call('INFO', 'server', 'replication')
local server = string.match(info, 'run_id:(%x+)') .. '/' .. string.match(info, 'master_replid:(%x+)') .. '/'
return server
