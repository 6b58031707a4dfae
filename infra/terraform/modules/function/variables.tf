variable "name" {
  type        = string
  description = "Name of the function, and of its role and log group: the deployment's prefix and what it does, such as mdm-prod-resolve."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,62}$", var.name))
    error_message = "name must be 3 to 63 small letters, digits and hyphens that begin with a letter, such as mdm-prod-resolve."
  }
}

variable "description" {
  type        = string
  description = "What the function does, in a sentence of at most 256 characters, as the console shows it."

  validation {
    condition     = length(var.description) >= 1 && length(var.description) <= 256
    error_message = "description must have 1 to 256 characters, which is what Lambda takes."
  }
}

variable "package" {
  type        = string
  default     = null
  description = "Path of the zip that `make package` has built; null where the function is a container image."
}

variable "image" {
  type = object({
    uri = string
  })
  default     = null
  description = "Container image of the function in ECR, by its digest; null where it is a zip. A function whose libraries need a newer glibc than Lambda's Python 3.11 has comes as an image."

  validation {
    condition     = var.image == null ? true : can(regex("@sha256:[0-9a-f]{64}$", var.image.uri))
    error_message = "image.uri must name the image by its digest (...@sha256:DIGEST): a tag may name another image tomorrow."
  }

  validation {
    condition     = (var.image == null) != (var.package == null)
    error_message = "Name either package (a zip) or image (a container image), and not both."
  }
}

variable "handler" {
  type        = string
  description = "Entry point, as `functions.json` beside the zips names it, such as consumers.resolve.handler.handler. It is the command of an image."

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_.]*\\.[a-z_][a-z0-9_]*$", var.handler))
    error_message = "handler must be a dotted name of module and function, such as consumers.resolve.handler.handler."
  }
}

variable "runtime" {
  type        = string
  default     = "python3.11"
  description = "Lambda's runtime of a zip. Packages hold bytecode of Python 3.11, and no other Python runs them."

  validation {
    condition     = var.runtime == "python3.11"
    error_message = "runtime must be python3.11: the packages hold its bytecode, and another Python has other Unicode tables (docs/operate/packages.md)."
  }
}

variable "architecture" {
  type        = string
  default     = "arm64"
  description = "Machine that the package was built for: arm64 or x86_64."

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64, as the package was built (make package ARGS=\"NAME --machine arm64\")."
  }
}

variable "memory_mb" {
  type        = number
  description = "Memory of the function in MiB; its share of a CPU grows with it, and 1,769 MiB are one CPU."

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "memory_mb must be a whole number from 128 to 10240."
  }
}

variable "timeout_s" {
  type        = number
  description = "Longest time of one invocation in seconds. docs/operate/lambda.md says how it follows from the time-outs of calls."

  validation {
    condition     = var.timeout_s >= 1 && var.timeout_s <= 900 && floor(var.timeout_s) == var.timeout_s
    error_message = "timeout_s must be a whole number from 1 to 900, which is the longest that Lambda allows."
  }
}

variable "deployment_name" {
  type        = string
  description = "Name of the deployment: the namespace of the metrics that the function writes, and in each of its log lines, so that two in one account and region keep theirs apart."

  validation {
    condition     = can(regex("^[0-9A-Za-z][0-9A-Za-z._#-]{0,254}$", var.deployment_name))
    error_message = "deployment_name must be 1 to 255 letters, digits and . - _ #, of which the first is a letter or a digit, such as mdm-prod."
  }
}

variable "environment" {
  type        = map(string)
  default     = {}
  description = "Settings of the function, by the names that the code reads (docs/reference/limits.md). No secret: they are readable to those who may see the function."
}

variable "policy_json" {
  type        = string
  description = "What the function itself may do: an IAM policy as JSON, from aws_iam_policy_document. Logs, traces and the network are added here."
}

variable "vpc" {
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default     = null
  description = "Subnets and security groups of a function that needs the cache; null for one that does without a VPC."

  validation {
    condition     = var.vpc == null ? true : length(var.vpc.subnet_ids) >= 1 && length(var.vpc.security_group_ids) >= 1
    error_message = "vpc needs at least one subnet and one security group; give null for a function without a VPC."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key that encrypts the settings and the log group."

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

variable "reserved_concurrency" {
  type        = number
  default     = null
  description = "Invocations at a time that are kept for this function, which are also the most that it has; null for what the account has left."

  validation {
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency >= 1 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency must be a whole number from 1, or null: 0 would stop the function."
  }
}

variable "layers" {
  type        = list(string)
  default     = []
  description = "ARNs of layer versions of a zip, such as one with rule sets of your own, which are then below /opt."

  validation {
    condition     = length(var.layers) <= 5 && (var.image == null || length(var.layers) == 0)
    error_message = "layers takes at most 5 versions, and an image has none: copy the files into the image."
  }
}
