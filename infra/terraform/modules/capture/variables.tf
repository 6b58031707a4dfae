variable "name" {
  type        = string
  description = "Prefix of all names, such as mdm-prod."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 small letters, digits and hyphens that begin with a letter, such as mdm-prod."
  }
}

variable "image" {
  type        = string
  description = "Container image by its digest, such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com/mdm-postgres-reader@sha256:DIGEST."

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must name the image by its digest (...@sha256:DIGEST): a tag may name another image tomorrow."
  }
}

variable "cluster_arn" {
  type        = string
  description = "ARN of the ECS cluster that it runs in."
}

variable "size" {
  type = object({
    cpu       = optional(number, 256)
    memory_mb = optional(number, 512)
  })
  default     = {}
  description = "CPU units (1,024 are one CPU) and MiB of memory of the task, in one of Fargate's combinations."
}

variable "architecture" {
  type        = string
  default     = "ARM64"
  description = "Machine that the image was built for: ARM64 or X86_64."
}

variable "change_stream" {
  type = object({
    name = string
    arn  = string
  })
  description = "Stream that the changes go to."
}

variable "database" {
  type = object({
    address       = string
    password_from = string
  })
  description = "Database that is read: its address without a password, and the secret with the password (the ARN of a secret, or ARN:MEMBER:: for a member of its JSON)."

  validation {
    condition     = can(regex("^postgres(ql)?://[^:@/]+@[^@]+$", var.database.address))
    error_message = "database.address must be postgresql://USER@HOST/DATABASE without a password, which all who may see the task would read; name its secret in database.password_from."
  }

  validation {
    condition     = can(regex("[?&]sslmode=(require|verify-ca|verify-full)(&|$)", var.database.address))
    error_message = "database.address must ask for TLS: ?sslmode=verify-full with &sslrootcert=FILE, or at least ?sslmode=require."
  }
}

variable "source_name" {
  type        = string
  description = "What the database is called, as a part of names: one reader a slot, and one module a reader."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.source_name))
    error_message = "source_name must be 1 to 16 small letters, digits and hyphens that begin with a letter, such as shop."
  }
}

variable "rules" {
  type        = list(string)
  default     = []
  description = "Packs, or paths of rule sets in the image, whose sources say which tables are captured; empty: those of the publication."
}

variable "slot" {
  type        = string
  default     = "mdm_stream"
  description = "Replication slot, in which PostgreSQL keeps how far this has come."

  validation {
    condition     = can(regex("^[a-z0-9_]{1,54}$", var.slot))
    error_message = "slot must be 1 to 54 small letters, digits and underscores, which PostgreSQL takes."
  }
}

variable "publication" {
  type        = string
  default     = "mdm_stream"
  description = "Publication, which says which tables the database publishes."
}

variable "allow_truncate" {
  type        = bool
  default     = false
  description = "Whether the reader goes on after a TRUNCATE, which deletes no record (docs/operate/postgres.md)."
}

variable "status_interval_s" {
  type        = number
  default     = 10
  description = "Seconds between two lines about how far behind the reader is, which are metrics (embedded metric format)."

  validation {
    condition     = var.status_interval_s >= 0.1
    error_message = "status_interval_s must be at least 0.1."
  }
}

variable "vpc" {
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  description = "Private subnets and security groups from which the cache is reached."

  validation {
    condition     = length(var.vpc.subnet_ids) >= 1 && length(var.vpc.security_group_ids) >= 1
    error_message = "vpc needs at least one subnet and one security group: the cache has no public address."
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
