# The rights of docs/operate/cache.md, which a test compares with these.
locals {
  keys = var.namespace == null ? "mdm:*" : "mdm:{${var.namespace}:*"

  commands = [
    "info", "time", "command", "select", "wait", "client|setinfo", "cluster|slots", "multi", "exec",
    "eval", "evalsha", "script|load",
    "get", "set", "del", "unlink", "exists", "type", "scan",
    "hget", "hset", "hdel", "hlen", "hmget", "hgetall", "hvals", "hkeys", "hexists", "hincrby", "hscan",
    "sadd", "srem", "scard", "srandmember", "sscan",
    "zadd", "zrem", "zrangebyscore", "zscan",
    "xadd", "xdel", "xlen", "xrange",
  ]
}
