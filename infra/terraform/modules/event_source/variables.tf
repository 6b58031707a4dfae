variable "name" {
  type        = string
  description = "What the mapping reads, as a part of its policy's name, such as changes."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,40}$", var.name))
    error_message = "name must be small letters, digits and hyphens that begin with a letter, such as changes."
  }
}

variable "function" {
  type = object({
    arn       = string
    role_name = string
  })
  description = "Function that gets the batches, and its role, which gets the rights that reading needs."
}

variable "stream" {
  type = object({
    name            = string
    arn             = string
    retention_hours = number
  })
  description = "Stream that is read, and the hours that it keeps a record."

  validation {
    condition     = var.stream.retention_hours >= 24 && var.stream.retention_hours <= 8760
    error_message = "stream.retention_hours must be from 24 to 8760, which is what Kinesis allows."
  }
}

variable "on_failure" {
  type = object({
    name = string
    arn  = string
  })
  description = "Bucket of batches whose last attempt failed, with their payload. SQS and SNS would get none."
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key of stream and bucket."

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), and not an alias or an id."
  }
}

variable "enabled" {
  type        = bool
  default     = true
  description = "Whether batches are delivered; false holds them back, on the stream, for as long as it keeps them."
}

variable "batch_size" {
  type        = number
  default     = 500
  description = "Records of a batch at most."

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10000 && floor(var.batch_size) == var.batch_size
    error_message = "batch_size must be a whole number from 1 to 10000, which is the most that Lambda delivers."
  }
}

variable "window_s" {
  type        = number
  default     = 1
  description = "Seconds after its first record when a batch is closed."

  validation {
    condition     = var.window_s >= 0 && var.window_s <= 300 && floor(var.window_s) == var.window_s
    error_message = "window_s must be a whole number from 0 to 300, which is the longest that Lambda waits."
  }
}

variable "parallelization_factor" {
  type        = number
  default     = 1
  description = "Batches of one shard at a time, spread by partition key. Records of one key stay in order; more shards say the same more plainly."

  validation {
    condition     = var.parallelization_factor >= 1 && var.parallelization_factor <= 10 && floor(var.parallelization_factor) == var.parallelization_factor
    error_message = "parallelization_factor must be a whole number from 1 to 10."
  }
}

variable "starting_position" {
  type        = string
  default     = "TRIM_HORIZON"
  description = "Where a new mapping begins: TRIM_HORIZON, LATEST, or AT_TIMESTAMP with starting_position_timestamp."

  validation {
    condition     = contains(["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"], var.starting_position)
    error_message = "starting_position must be TRIM_HORIZON (what the stream still has), LATEST or AT_TIMESTAMP."
  }

  validation {
    condition     = (var.starting_position == "AT_TIMESTAMP") == (var.starting_position_timestamp != null)
    error_message = "starting_position_timestamp belongs to starting_position AT_TIMESTAMP, and to no other: set both or neither."
  }
}

variable "starting_position_timestamp" {
  type        = string
  default     = null
  description = "Time from which a new mapping reads, in RFC 3339, as `mdm-stream warehouse rebuild` prints it."
}

variable "bisect_on_error" {
  type        = bool
  default     = true
  description = "Whether a batch whose function failed is halved, so that one record alone ends in on_failure and not the rest of its batch."
}

variable "maximum_retry_attempts" {
  type        = number
  default     = -1
  description = "Attempts of a batch after the first; -1: no limit but the age."

  validation {
    condition     = var.maximum_retry_attempts >= -1 && var.maximum_retry_attempts <= 10000 && floor(var.maximum_retry_attempts) == var.maximum_retry_attempts
    error_message = "maximum_retry_attempts must be a whole number from 0 to 10000, or -1 for no limit."
  }
}

variable "maximum_record_age_s" {
  type        = number
  default     = null
  description = "Seconds after which a record goes to on_failure. Null: the stream's retention less a day, or less an hour where it is shorter than two days."

  validation {
    condition = var.maximum_record_age_s == null ? true : (
      var.maximum_record_age_s >= 60 && var.maximum_record_age_s <= 604800 &&
      var.maximum_record_age_s < var.stream.retention_hours * 3600
    )
    error_message = "maximum_record_age_s must be from 60 to 604800 and below the stream's retention (stream.retention_hours * 3600): what the stream forgets first is in no on-failure destination. Lower it, or keep records longer."
  }
}
