-- The server that answers. KEYS[1]: any key of the domain, so that a Cluster asks the right node.
return server_now()
