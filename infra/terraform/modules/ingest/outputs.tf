output "functions" {
  description = "The functions: name, ARN, role, log group, time-out, digest of its package and settings of gatekeeper and worker."
  value = {
    for key, function in module.function : key => {
      name           = function.name
      arn            = function.arn
      role_arn       = function.role_arn
      role_name      = function.role_name
      log_group_name = function.log_group_name
      timeout_s      = function.timeout_s
      code_sha256    = function.code_sha256
      environment    = function.environment
    }
  }
}

output "queues" {
  description = "The queues of drops and chunks: name, ARN and URL of each and of its dead-letter queue."
  value = {
    for key, queue in { drops = module.drops, chunks = module.chunks } : key => {
      name                    = queue.name
      arn                     = queue.arn
      url                     = queue.url
      dead_letter_name        = queue.dead_letter_name
      dead_letter_arn         = queue.dead_letter_arn
      dead_letter_url         = queue.dead_letter_url
    }
  }
}

output "notices_topic_arn" {
  description = "ARN of the topic of notices of loads (MDM_FILES_TOPIC_ARN)."
  value       = aws_sns_topic.notices.arn
}

output "bus" {
  description = "EventBridge's bus of notices, and of requests for jobs that read large files (MDM_FILES_BUS)."
  value       = { name = aws_cloudwatch_event_bus.this.name, arn = aws_cloudwatch_event_bus.this.arn }
}
