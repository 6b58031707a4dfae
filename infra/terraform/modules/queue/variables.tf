variable "name" {
  type        = string
  description = "Name of the queue, such as mdm-prod-files-chunks; its dead-letter queue is called NAME-dead-letters."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,60}$", var.name))
    error_message = "name must be 3 to 61 small letters, digits and hyphens that begin with a letter, such as mdm-prod-files-chunks."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key that encrypts the messages of both queues."

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), and not an alias or an id."
  }
}

variable "visibility_timeout_s" {
  type        = number
  description = "Seconds that a message is hidden once a consumer has it: six times the time-out of the function that reads the queue."

  validation {
    condition     = var.visibility_timeout_s >= 1 && var.visibility_timeout_s <= 43200 && floor(var.visibility_timeout_s) == var.visibility_timeout_s
    error_message = "visibility_timeout_s must be a whole number from 1 to 43200 (12 hours), which is the most that SQS allows."
  }
}

variable "max_receive_count" {
  type        = number
  default     = 5
  description = "Deliveries of a message before it goes to the dead-letter queue."

  validation {
    condition     = var.max_receive_count >= 2 && var.max_receive_count <= 1000 && floor(var.max_receive_count) == var.max_receive_count
    error_message = "max_receive_count must be a whole number from 2 to 1000: with 1 a single throttled delivery would set a message aside."
  }
}

variable "retention_s" {
  type        = number
  default     = 345600
  description = "Seconds that a message is kept (4 days). The dead-letter queue always keeps its messages for 14 days."

  validation {
    condition     = var.retention_s >= 60 && var.retention_s <= 1209600 && floor(var.retention_s) == var.retention_s
    error_message = "retention_s must be a whole number from 60 to 1209600 (14 days), which is the most that SQS allows."
  }
}

variable "senders" {
  type = list(object({
    service    = string
    source_arn = string
  }))
  default     = []
  description = "AWS services that may send, each for one source alone, such as s3.amazonaws.com for the ARN of a bucket. Roles need no entry: their own policies allow them."

  validation {
    condition     = alltrue([for sender in var.senders : endswith(sender.service, ".amazonaws.com")])
    error_message = "senders[*].service must be a service principal, such as s3.amazonaws.com."
  }

  validation {
    condition     = alltrue([for sender in var.senders : can(regex("^arn:", sender.source_arn))])
    error_message = "senders[*].source_arn must be the ARN of the bucket, rule or topic that sends."
  }
}
