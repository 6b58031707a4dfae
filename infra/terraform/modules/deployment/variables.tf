variable "name" {
  type        = string
  description = "Prefix of all names, such as mdm-prod."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 small letters, digits and hyphens that begin with a letter, such as mdm-prod."
  }
}

variable "packages" {
  type = object({
    folder       = string
    glue_folder  = optional(string)
    architecture = optional(string, "arm64")
    layers       = optional(list(string), [])
  })
  description = "Folders that `make package` (build/packages) and `make package-glue` (build/glue) have filled, the machine that functions run on, and layers with rule sets of your own."

  validation {
    condition     = contains(["arm64", "x86_64"], var.packages.architecture)
    error_message = "packages.architecture must be arm64 or x86_64, as the packages were built."
  }
}

variable "rules" {
  type        = list(string)
  description = "Rule sets, one a domain: names of packs, or paths in the package or image, such as person."

  validation {
    condition     = length(var.rules) >= 1 && alltrue([for each in var.rules : can(regex("^[A-Za-z0-9_./-]+$", each))])
    error_message = "rules needs at least one name of a pack or path in the package, such as [\"person\"]; an address of S3 is for the job on Glue alone."
  }
}

variable "namespace" {
  type        = string
  default     = "main"
  description = "Separates deployments that share a cache."
}

variable "authority" {
  type = object({
    policy              = string
    signing_keys_prefix = optional(string)
  })
  default     = null
  description = "Who may say what: the policy as JSON (file(\"authority.json\")), and the beginning of the names of the secrets with the keys that it names; null: records on every stream, the rest on the steward stream alone."
}

variable "network" {
  type = object({
    cidr               = optional(string, "10.40.0.0/20")
    availability_zones = optional(number, 2)
    endpoint_zones     = optional(number, 2)
    more_endpoints     = optional(set(string), [])
    existing = optional(object({
      vpc_id             = string
      private_subnet_ids = list(string)
      route_table_ids    = list(string)
    }))
  })
  default     = {}
  description = "The VPC of the cache and of what reaches it: its addresses and availability zones, or one that there is. Interface endpoints are those that the parts ask for, and more_endpoints."
}

variable "streams" {
  type = object({
    changes = optional(object({ shards = optional(number), retention_hours = optional(number, 168) }), {})
    steward = optional(object({ shards = optional(number, 1), retention_hours = optional(number, 168) }), {})
    golden  = optional(object({ shards = optional(number), retention_hours = optional(number, 168) }), {})
  })
  default     = {}
  description = "Shards of each stream (null: on demand), and how long it keeps a record."
}

variable "index" {
  type = object({
    elasticache = optional(object({
      node_type         = optional(string, "cache.r7g.large")
      shards            = optional(number, 1)
      replicas          = optional(number, 1)
      apply_immediately = optional(bool, false)
    }))
    memorydb = optional(object({
      node_type = optional(string, "db.r7g.large")
      shards    = optional(number, 1)
      replicas  = optional(number, 1)
    }))
    existing = optional(object({
      url            = string
      connect_action = string
      connect_arns   = list(string)
    }))
  })
  default     = { elasticache = {} }
  description = "The cache that holds the index: ElastiCache for Valkey, MemoryDB, or one that there is in the VPC. One of the three."

  validation {
    condition     = length([for each in [var.index.elasticache, var.index.memorydb, var.index.existing] : each if each != null]) == 1
    error_message = "index must have one of elasticache, memorydb and existing."
  }
}

variable "limits" {
  type = object({
    redis_timeout_s       = optional(number, 5)
    redis_replicas_min    = optional(number, 0)
    aws_timeout_s         = optional(number, 10)
    merges_per_minute_max = optional(number, 5000)
    merge_hold            = optional(bool, false)
    expiries_per_tick_max = optional(number, 500)
    feed_record_bytes_max = optional(number, 1048576)
    golden_bytes_warn     = optional(number, 262144)
  })
  default     = {}
  description = "Limits of the resolve consumer, as module consumer has them."
}

variable "engine" {
  type = object({
    commit_attempts_max    = optional(number, 50)
    transient_attempts_max = optional(number, 5)
    backoff_ms_base        = optional(number, 20)
    backoff_ms_max         = optional(number, 2000)
    reevaluations_max      = optional(number, 500)
    record_cache_size      = optional(number, 50000)
    groups_per_commit_max  = optional(number, 32)
    events_per_plan_max    = optional(number, 1000)
    faults_in_a_row_max    = optional(number, 25)
    forget_after_s         = optional(number, 600)
    later_tolerance_s      = optional(number, 300)
  })
  default     = {}
  description = "How the engine works a batch, as module consumer has it."
}

variable "resolve" {
  type = object({
    memory_mb            = optional(number, 1769)
    timeout_s            = optional(number, 180)
    reserved_concurrency = optional(number)
    event_source = optional(object({
      enabled                = optional(bool, true)
      batch_size             = optional(number, 500)
      window_s               = optional(number, 1)
      parallelization_factor = optional(number, 1)
      starting_position      = optional(string, "TRIM_HORIZON")
      bisect_on_error        = optional(bool, true)
      maximum_retry_attempts = optional(number, -1)
      maximum_record_age_s   = optional(number)
    }), {})
  })
  default     = {}
  description = "The resolve consumer as a function; null where kcl runs it in containers."

  validation {
    condition     = (var.resolve == null) != (var.kcl == null)
    error_message = "Set resolve or kcl, and null for the other: both would read the same streams and do everything twice."
  }
}

variable "kcl" {
  type = object({
    image         = string
    architecture  = optional(string, "ARM64")
    desired_count = optional(number, 2)
  })
  default     = null
  description = "The resolve consumer in containers under the KCL: its image by digest (infra/docker/kcl), and how many read the change stream; the steward stream has one of its own. Null where resolve is set."
}

variable "files" {
  type = object({
    image         = string
    architecture  = optional(string, "arm64")
    notice_emails = optional(set(string), [])
  })
  default     = null
  description = "The gatekeeper of files that vendors drop: its image by digest, and the addresses that hear of loads; null: without."
}

variable "api" {
  type = object({
    authorizer = object({
      jwt = optional(object({
        issuer        = string
        audience      = list(string)
        scopes        = optional(list(string), [])
        sources_claim = optional(string, "mdm_sources")
      }))
      iam = optional(object({
        web_acl = optional(object({ arn = string }))
      }))
    })
    domain = optional(object({
      name            = string
      certificate_arn = string
    }))
    throttle = optional(object({
      rate  = optional(number, 100)
      burst = optional(number, 200)
    }), {})
  })
  default     = null
  description = "The events API: who may call, its host name, and how many requests it takes; null: without."
}

variable "warehouse" {
  type = object({
    snowflake = object({
      account       = string
      user          = string
      database      = string
      schema        = string
      warehouse     = optional(string)
      role          = optional(string)
      writer        = optional(string)
      lag_s         = optional(number)
      ingest        = optional(string, "copy")
      streaming_url = optional(string)
    })
    window_s = optional(number, 300)
    lineage = optional(object({
      url              = string
      endpoint         = optional(string, "api/v1/lineage")
      namespace        = optional(string, "mdm-stream")
      job              = optional(string, "warehouse")
      stream_namespace = optional(string, "kinesis")
      timeout_s        = optional(number, 2)
    }))
  })
  default     = null
  description = "The warehouse consumer: where it logs in to Snowflake, how long it gathers golden changes, and where lineage goes; null: without."
}

variable "reconcile" {
  type = object({
    domains           = set(string)
    rules             = optional(list(string))
    schedule          = optional(string, "cron(0 3 * * ? *)")
    repair            = optional(bool, false)
    workers           = optional(object({ type = optional(string, "G.1X"), count = optional(number, 10) }), {})
    compare_warehouse = optional(bool, false)
  })
  default     = null
  description = "The reconciliation on Glue: domains that alarms look at, rule sets on S3 where rules are paths in a layer or an image, when it runs, whether it repairs, its machines, and whether it compares the warehouse, for which the VPC needs a way to Snowflake; null: without."

  validation {
    condition     = var.reconcile == null ? true : var.packages.glue_folder != null
    error_message = "reconcile needs packages.glue_folder: the folder that `make package-glue` has filled."
  }

  validation {
    condition     = try(var.reconcile.compare_warehouse, false) ? var.warehouse != null : true
    error_message = "reconcile.compare_warehouse needs warehouse."
  }
}

variable "compaction" {
  type = object({
    image           = string
    architecture    = optional(string, "ARM64")
    older_than_days = optional(number, 1)
  })
  default     = null
  description = "Compaction of the archive once a day: the image of the command line by digest (infra/docker/commands); null: segments are never put together."
}

variable "snapshots" {
  type = object({
    image        = string
    architecture = optional(string, "ARM64")
    schedule     = optional(string, "cron(0 1 * * ? *)")
    newest       = optional(bool, false)
  })
  default     = null
  description = "Snapshots of the golden feed once a day, from which a warehouse is made anew: the image of the command line by digest (infra/docker/commands), when, and whether they have no history; null: what the stream has forgotten is gone from it."

  validation {
    condition     = var.snapshots == null ? true : var.streams.golden.retention_hours >= 48
    error_message = "snapshots need streams.golden.retention_hours of 48 or more: a snapshot a day that fails once would come too late."
  }
}

variable "captures" {
  type = map(object({
    image              = string
    architecture       = optional(string, "ARM64")
    address            = string
    password_from      = string
    slot               = optional(string, "mdm_stream")
    publication        = optional(string, "mdm_stream")
    rules              = optional(list(string), [])
    security_group_ids = optional(list(string), [])
  }))
  default     = {}
  description = "Databases of PostgreSQL that are captured, by a name of your choice: the reader's image by digest, the address without a password, its secret, slot and publication, and security groups that reach the database."
}

variable "alarms" {
  type = object({
    subscriptions = optional(map(object({
      protocol   = string
      endpoint   = string
      severities = optional(set(string), ["page", "ticket"])
    })), {})
    runbooks_url = optional(string, "docs/operate/runbooks")
    thresholds   = optional(map(number), {})
  })
  default     = {}
  description = "Who hears of alarms, where their runbooks are, and thresholds other than those of alarms.json."
}

variable "budget" {
  type = object({
    monthly_usd = number
    emails      = list(string)
  })
  default     = null
  description = "What the deployment may cost a month, by the tag Deployment, and who hears of it; null: without."
}

variable "log_retention_days" {
  type        = number
  default     = 30
  description = "Days that log lines are kept."

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827], var.log_retention_days)
    error_message = "log_retention_days must be one of the periods of CloudWatch Logs: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096 or 1827."
  }
}

variable "disposable" {
  type        = bool
  default     = false
  description = "Whether `terraform destroy` removes everything at once, with all that buckets and tables hold; for trials alone."
}
