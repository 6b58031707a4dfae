-- The server process that answers: its run id. KEYS[1]: any key of the domain, so that a Cluster asks the right node.
return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
