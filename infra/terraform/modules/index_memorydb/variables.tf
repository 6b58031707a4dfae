variable "name" {
  type        = string
  description = "Prefix of the deployment, such as mdm-prod; the cache and its user are called NAME-index."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 small letters, digits and hyphens that begin with a letter, such as mdm-prod."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key that encrypts the cache on disk and its snapshots."

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), and not an alias or an id."
  }
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets of the nodes, in at least two availability zones."

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids needs at least two subnets in different availability zones: a replica in the zone of its primary is lost with it."
  }
}

variable "security_group_ids" {
  type        = list(string)
  description = "Security groups of the nodes, which let in port 6379 from functions, containers and jobs alone."

  validation {
    condition     = length(var.security_group_ids) >= 1
    error_message = "security_group_ids needs at least one security group: without one the VPC's default would be taken."
  }
}

variable "namespace" {
  type        = string
  default     = null
  description = "Namespace whose keys the user may reach, where others share the cache; null: those of all namespaces."
}

variable "node_type" {
  type        = string
  default     = "db.r7g.large"
  description = "Type of the nodes. The index has some 3 KB a record, and twice that while it is rebuilt."

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.node_type))
    error_message = "node_type must be a type of MemoryDB, such as db.r7g.large."
  }
}

variable "engine_version" {
  type        = string
  default     = "7.3"
  description = "Version of Valkey on MemoryDB."

  validation {
    condition     = can(regex("^(7\\.[2-9]|[89]\\.[0-9]+)$", var.engine_version))
    error_message = "engine_version must be a version of Valkey from 7.2, such as 7.3."
  }
}

variable "shards" {
  type        = number
  default     = 1
  description = "Shards of the cluster. A domain is on one of them, so more serve more domains, not a larger one."

  validation {
    condition     = var.shards >= 1 && floor(var.shards) == var.shards
    error_message = "shards must be a whole number from 1."
  }
}

variable "replicas" {
  type        = number
  default     = 1
  description = "Replicas of each shard, which take over where a primary is lost; writes are in the log of several zones however many there are."

  validation {
    condition     = var.replicas >= 1 && var.replicas <= 5 && floor(var.replicas) == var.replicas
    error_message = "replicas must be a whole number from 1 to 5: without one a shard is away until its node is replaced."
  }
}

variable "snapshots" {
  type = object({
    retention_days = optional(number, 1)
    window         = optional(string, "01:00-02:00")
  })
  default     = {}
  description = "Daily snapshots: how many days they are kept (0: none are made) and when they are made, in UTC. No erasure reaches them: let the days be few."

  validation {
    condition     = var.snapshots.retention_days >= 0 && var.snapshots.retention_days <= 7 && floor(var.snapshots.retention_days) == var.snapshots.retention_days
    error_message = "snapshots.retention_days must be a whole number from 0 to 7: no erasure reaches snapshots (docs/operate/erasure.md)."
  }
}

variable "maintenance_window" {
  type        = string
  default     = "sun:03:00-sun:04:00"
  description = "Hour of the week in which AWS may replace nodes, in UTC; not in the window of snapshots."
}

variable "events_topic_arn" {
  type        = string
  default     = null
  description = "ARN of an SNS topic that gets the cluster's events, such as failovers; null: none does."
}
