"""The index on Redis, and the Lua that runs in it."""
