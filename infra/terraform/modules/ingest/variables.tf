variable "name" {
  type        = string
  description = "Prefix of the deployment, such as mdm-prod."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 small letters, digits and hyphens that begin with a letter, such as mdm-prod."
  }
}

variable "package" {
  type        = string
  default     = null
  description = "Path of the zip of files that `make package` has built, for a system with glibc 2.28; null where image is set, as Lambda's own Python 3.11 needs."
}

variable "image" {
  type = object({
    uri = string
  })
  default     = null
  description = "Container image of the functions of files in ECR, by its digest; null where package is set."
}

variable "architecture" {
  type        = string
  default     = "arm64"
  description = "Machine that the package or image was built for: arm64 or x86_64."
}

variable "layers" {
  type        = list(string)
  default     = []
  description = "ARNs of layer versions of a zip, such as one with rule sets of your own."
}

variable "rules" {
  type        = list(string)
  description = "Rule sets, one a domain: names of packs, or paths in the package, image or a layer, such as person."

  validation {
    condition     = length(var.rules) >= 1 && alltrue([for each in var.rules : can(regex("^[A-Za-z0-9_./-]+$", each))])
    error_message = "rules needs at least one name of a pack or path in the package, such as [\"person\"]."
  }
}

variable "drop" {
  type = object({
    name = string
    arn  = string
  })
  description = "Bucket in which vendors put files. Its notifications are set here, and whole: nothing else may set them."
}

variable "loads" {
  type = object({
    name   = string
    arn    = string
    prefix = string
  })
  description = "Bucket of the store of loads, which nothing but these functions may write, and the prefix below which it lies."
}

variable "quarantine" {
  type = object({
    name   = string
    arn    = string
    prefix = string
  })
  description = "Bucket of rejected rows, and the prefix below which they lie."
}

variable "change_stream" {
  type = object({
    name = string
    arn  = string
  })
  description = "Stream on which rows become change events."
}

variable "golden_stream" {
  type = object({
    name = string
    arn  = string
  })
  description = "Stream that carries manifests and reports of rejected rows to the warehouse."
}

variable "redis" {
  type = object({
    url            = string
    connect_action = string
    connect_arns   = list(string)
  })
  default     = null
  description = "The index, as the output redis of module index or index_memorydb, and vpc with it; null: full loads are held."

  validation {
    condition     = (var.redis == null) == (var.vpc == null)
    error_message = "Set redis and vpc, or neither: the index is reached from within its VPC alone, and nothing else here needs one."
  }
}

variable "vpc" {
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default     = null
  description = "Private subnets and security groups from which the index is reached; null without redis."
}

variable "namespace" {
  type        = string
  default     = "main"
  description = "Separates deployments that share a cache."

  validation {
    condition     = can(regex("^[a-z][a-z0-9_-]{0,62}$", var.namespace))
    error_message = "namespace must be 1 to 63 small letters, digits, hyphens and underscores that begin with a letter."
  }
}

variable "signing" {
  type = object({
    key_id     = string
    prefix     = string
    secret_arn = string
  })
  default     = null
  description = "Key that signs events, where the authority policy asks for it: its id, the beginning of its secret's name, and the secret's ARN; null: events are not signed."

  validation {
    condition     = var.signing == null ? true : can(regex("^arn:[a-z-]+:secretsmanager:", var.signing.secret_arn))
    error_message = "signing.secret_arn must be the ARN of the secret called signing.prefix and signing.key_id."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key of the deployment."

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), and not an alias or an id."
  }
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

variable "gatekeeper" {
  type = object({
    memory_mb       = optional(number, 512)
    timeout_s       = optional(number, 900)
    concurrency_max = optional(number, 5)
  })
  default     = {}
  description = "The function that reads each file twice: memory, which is enough for the largest file that it takes, longest time, and files at a time at most."

  validation {
    condition     = var.gatekeeper.memory_mb >= 256 && var.gatekeeper.memory_mb <= 10240
    error_message = "gatekeeper.memory_mb must be from 256 (files of up to a million rows) to 10240; 512 are enough for the four million that it takes at most."
  }

  validation {
    condition     = var.gatekeeper.timeout_s >= 60 && var.gatekeeper.timeout_s <= 900
    error_message = "gatekeeper.timeout_s must be from 60 to 900: it reads a file of up to file_limits.spark_bytes_min twice."
  }

  validation {
    condition     = var.gatekeeper.concurrency_max >= 2 && var.gatekeeper.concurrency_max <= 1000
    error_message = "gatekeeper.concurrency_max must be from 2 to 1000, which is what Lambda allows."
  }
}

variable "worker" {
  type = object({
    memory_mb       = optional(number, 512)
    timeout_s       = optional(number, 300)
    concurrency_max = optional(number, 4)
  })
  default     = {}
  description = "The function that checks and sends chunks: memory, longest time of one chunk, and chunks at a time at most, of which each sends some 1,000 records a second or more."

  validation {
    condition     = var.worker.memory_mb >= 256 && var.worker.memory_mb <= 10240
    error_message = "worker.memory_mb must be from 256 to 10240: a chunk of file_limits.chunk_bytes is in memory whole, some four times."
  }

  validation {
    condition     = var.worker.timeout_s >= 60 && var.worker.timeout_s <= 900
    error_message = "worker.timeout_s must be from 60 to 900: a chunk of file_limits.chunk_rows takes up to a minute."
  }

  validation {
    condition     = var.worker.concurrency_max >= 2 && var.worker.concurrency_max <= 1000
    error_message = "worker.concurrency_max must be from 2 to 1000: as many as the change stream has shards."
  }
}

variable "timeouts" {
  type = object({
    redis_timeout_s = optional(number, 5)
    aws_timeout_s   = optional(number, 10)
  })
  default     = {}
  description = "Time-outs of one call to Redis and to AWS in seconds, each the variable MDM_NAME of the functions."

  validation {
    condition     = var.timeouts.redis_timeout_s > 0 && var.timeouts.aws_timeout_s > 0
    error_message = "timeouts.redis_timeout_s and timeouts.aws_timeout_s must be above 0 seconds."
  }
}

variable "file_limits" {
  type = object({
    chunk_bytes              = optional(number, 8388608)
    chunk_rows               = optional(number, 50000)
    direct_bytes_max         = optional(number, 1048576)
    spark_bytes_min          = optional(number, 2147483648)
    rows_max                 = optional(number, 4000000)
    line_bytes_max           = optional(number, 8388608)
    decompressed_bytes_max   = optional(number, 21474836480)
    decompressed_ratio_max   = optional(number, 200)
    parquet_bytes_max        = optional(number, 419430400)
    parquet_page_bytes_max   = optional(number, 33554432)
    parquet_memory_bytes_max = optional(number, 268435456)
    parquet_timeout_s        = optional(number, 600)
    header_rows              = optional(number, 1000)
  })
  default     = {}
  description = "Limits of files by the code's names, each the variable MDM_FILES_NAME of the functions; docs/reference/limits.md has what happens at each."

  validation {
    condition     = var.file_limits.spark_bytes_min > var.file_limits.direct_bytes_max
    error_message = "file_limits.spark_bytes_min must be above file_limits.direct_bytes_max: between them a file goes to workers in chunks."
  }

  validation {
    condition     = var.file_limits.parquet_timeout_s < var.gatekeeper.timeout_s
    error_message = "file_limits.parquet_timeout_s must be below gatekeeper.timeout_s: the function waits for that process."
  }
}

variable "notice_emails" {
  type        = set(string)
  default     = []
  description = "Addresses that get an e-mail when a load is done, held or failed, once they have confirmed it. Notices carry the names of files, and no value of a row."

  validation {
    condition     = alltrue([for address in var.notice_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "notice_emails must be e-mail addresses."
  }
}
