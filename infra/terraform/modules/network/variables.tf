variable "name" {
  type        = string
  description = "Prefix of the deployment, such as mdm-prod."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 small letters, digits and hyphens that begin with a letter, such as mdm-prod."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key that encrypts the flow log."

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), and not an alias or an id."
  }
}

variable "cidr" {
  type        = string
  default     = "10.40.0.0/20"
  description = "Addresses of the VPC, a /16 to /24; each subnet has an eighth of them."

  validation {
    condition     = can(cidrnetmask(var.cidr)) && try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 24, false)
    error_message = "cidr must be a range of IPv4 from /16 to /24, such as 10.40.0.0/20: AWS takes no larger one, and a smaller one has too few addresses for functions."
  }
}

variable "availability_zones" {
  type        = number
  default     = 2
  description = "Availability zones with a private subnet each: as many as the cache has nodes of a shard."

  validation {
    condition     = var.availability_zones >= 2 && var.availability_zones <= 3 && floor(var.availability_zones) == var.availability_zones
    error_message = "availability_zones must be 2 or 3: with one, the loss of a zone takes the index with it."
  }
}

variable "existing" {
  type = object({
    vpc_id             = string
    private_subnet_ids = list(string)
    route_table_ids    = list(string)
  })
  default     = null
  description = "A VPC that there is, with its private subnets in at least two availability zones and their route tables; null: one is made. Its DNS support and host names have to be on."

  validation {
    condition     = var.existing == null ? true : length(var.existing.private_subnet_ids) >= 2
    error_message = "existing.private_subnet_ids needs at least two subnets, in different availability zones."
  }
}

variable "interface_endpoints" {
  type = set(string)
  default = [
    "events",
    "kinesis-streams",
    "kms",
    "logs",
    "monitoring",
    "secretsmanager",
    "sns",
    "sqs",
    "xray",
  ]
  description = "Services that are reached through an interface endpoint, by the last part of their name; each costs by the hour and zone. Empty where an existing VPC has a way out, or its own endpoints."

  validation {
    condition     = alltrue([for service in var.interface_endpoints : can(regex("^[a-z0-9.-]+$", service))])
    error_message = "interface_endpoints must be names such as kinesis-streams or ecr.api, without com.amazonaws.REGION."
  }
}

variable "endpoint_zones" {
  type        = number
  default     = 2
  description = "Availability zones in which each interface endpoint has an address; 1 costs half, and a zone's loss takes the endpoint with it."

  validation {
    condition     = var.endpoint_zones >= 1 && var.endpoint_zones <= var.availability_zones && floor(var.endpoint_zones) == var.endpoint_zones
    error_message = "endpoint_zones must be a whole number from 1 to availability_zones."
  }
}

variable "log_retention_days" {
  type        = number
  default     = 30
  description = "Days that the flow log of refused connections is kept; a VPC that is made has one."

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827], var.log_retention_days)
    error_message = "log_retention_days must be one of the periods of CloudWatch Logs: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096 or 1827."
  }
}
