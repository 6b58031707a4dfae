variable "name" {
  type        = string
  description = "Prefix of the deployment, such as mdm-prod; names of alarms, topics and the dashboard begin with it."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 small letters, digits and hyphens that begin with a letter, such as mdm-prod."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key that encrypts the topics; its policy must let CloudWatch and EventBridge use it, or no alarm is heard."

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), and not an alias or an id."
  }
}

variable "subscriptions" {
  type = map(object({
    protocol   = string
    endpoint   = string
    severities = optional(set(string), ["page", "ticket"])
  }))
  default     = {}
  description = "Who hears of alarms, by a name of your choice: SNS protocol, endpoint, and whether of those that page, of those that can wait (ticket), or of both."

  validation {
    condition     = alltrue([for each in values(var.subscriptions) : contains(["email", "https", "lambda", "sqs"], each.protocol)])
    error_message = "subscriptions[*].protocol must be email, https, lambda or sqs: others are not encrypted on their way."
  }

  validation {
    condition     = alltrue([for each in values(var.subscriptions) : length(each.severities) > 0 && length(setsubtract(each.severities, ["page", "ticket"])) == 0])
    error_message = "subscriptions[*].severities must be page, ticket or both."
  }
}

variable "runbooks_url" {
  type        = string
  default     = "docs/operate/runbooks"
  description = "Where the runbook pages of the deployed release are, without a slash at the end; every alarm's description links to its page there."

  validation {
    condition     = length(var.runbooks_url) > 0 && !endswith(var.runbooks_url, "/")
    error_message = "runbooks_url must be the address of docs/operate/runbooks in your copy of the project, without a slash at the end."
  }
}

variable "services" {
  type        = set(string)
  default     = ["resolve", "mdm-warehouse"]
  description = "Services that are deployed and write metrics of their own, on Lambda or elsewhere: resolve, mdm-warehouse, files, files-worker."

  validation {
    condition     = length(setsubtract(var.services, ["resolve", "mdm-warehouse", "files", "files-worker"])) == 0
    error_message = "services must be among resolve, mdm-warehouse, files and files-worker, the values of the metrics' dimension service."
  }
}

variable "functions" {
  type = map(object({
    name                 = string
    timeout_s            = number
    reserved_concurrency = optional(number)
  }))
  default     = {}
  description = "Lambda functions to watch, by a short key: name, time-out in seconds and, where it has one, its reserved concurrency."

  validation {
    condition     = alltrue([for each in values(var.functions) : each.timeout_s >= 1 && each.timeout_s <= 900])
    error_message = "functions[*].timeout_s must be 1 to 900 seconds, which is what Lambda allows."
  }
}

variable "event_sources" {
  type = map(object({
    function_name        = string
    uuid                 = string
    maximum_record_age_s = number
  }))
  default     = {}
  description = "Kinesis event source mappings to watch, by a short key: function, UUID and the record age at which Lambda discards a record. Their metrics must be switched on (metrics_config with EventCount)."

  validation {
    condition     = alltrue([for each in values(var.event_sources) : each.maximum_record_age_s >= 60 && each.maximum_record_age_s <= 604800])
    error_message = "event_sources[*].maximum_record_age_s must be 60 to 604800 seconds: with no limit (-1) records expire on the stream and nothing has them."
  }
}

variable "queues" {
  type = map(object({
    name              = string
    dead_letter_name  = string
    message_age_s_max = optional(number, 3600)
  }))
  default     = {}
  description = "SQS queues to watch, by a short key: name, that of the dead-letter queue, and the seconds that a message may wait."

  validation {
    condition     = alltrue([for each in values(var.queues) : length(each.dead_letter_name) > 0 && each.dead_letter_name != each.name])
    error_message = "queues[*].dead_letter_name must name the queue's dead-letter queue: a queue without one loses messages."
  }

  validation {
    condition     = alltrue([for each in values(var.queues) : each.message_age_s_max >= 60])
    error_message = "queues[*].message_age_s_max must be 60 seconds or more."
  }
}

variable "streams" {
  type        = map(object({ name = string }))
  default     = {}
  description = "Kinesis streams to watch, by a short key."
}

variable "index" {
  type        = object({ nodes = map(string) })
  default     = null
  description = "ElastiCache nodes of the index, by a short key: ids of the cache clusters, such as mdm-prod-0001-001; null where the index is elsewhere. With two or more, an alarm says when no replica follows."

  validation {
    condition     = var.index == null ? true : length(var.index.nodes) > 0
    error_message = "index.nodes must name one cache cluster at least, such as { first = \"mdm-prod-0001-001\" }."
  }
}

variable "api" {
  type = object({
    kind  = string
    id    = string
    stage = string
  })
  default     = null
  description = "The events API: kind rest with the API's name as id, or kind http with its id, and the stage; null without one."

  validation {
    condition     = var.api == null ? true : contains(["rest", "http"], var.api.kind)
    error_message = "api.kind must be rest or http, the kinds of API Gateway whose metrics are known."
  }
}

variable "capture_slots" {
  type        = set(string)
  default     = []
  description = "Replication slots of PostgreSQL readers that run with --emf."

  validation {
    condition     = alltrue([for slot in var.capture_slots : can(regex("^[a-z0-9_]{1,54}$", slot))])
    error_message = "capture_slots must be names of slots: 1 to 54 small letters, digits and underscores."
  }
}

variable "reconciled_domains" {
  type        = set(string)
  default     = []
  description = "Domains that a job reconciles."
}

variable "reconcile_job_name" {
  type        = string
  default     = null
  description = "Name of the Glue job that reconciles; runs of it that fail or time out are reported to the topic ticket. Null without one."
}

variable "task_families" {
  type        = map(string)
  default     = {}
  description = "Task definitions on ECS that a schedule starts, by a short key: ARN without a revision. Tasks of them that do not start, or end with another code than 0, are reported to the topic ticket."

  validation {
    condition     = alltrue([for arn in values(var.task_families) : can(regex("^arn:[a-z-]+:ecs:[a-z0-9-]+:[0-9]{12}:task-definition/[A-Za-z0-9_-]+$", arn))])
    error_message = "task_families must be ARNs of task definitions without a revision (arn:aws:ecs:REGION:ACCOUNT:task-definition/FAMILY)."
  }
}

variable "thresholds" {
  type        = map(number)
  default     = {}
  description = "Thresholds other than those of alarms.json, by the alarm's name, such as { event-to-golden-slow = 5000 }."

  validation {
    condition     = length(setsubtract(keys(var.thresholds), [for each in jsondecode(file("${path.module}/alarms.json")).alarms : each.name])) == 0
    error_message = "thresholds must be by names of alarms in alarms.json."
  }
}
