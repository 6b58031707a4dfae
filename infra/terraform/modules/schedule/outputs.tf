output "rule_arn" {
  description = "ARN of EventBridge's rule."
  value       = aws_cloudwatch_event_rule.this.arn
}

output "rule_name" {
  description = "Name of EventBridge's rule, which an operator disables to stop the schedule."
  value       = aws_cloudwatch_event_rule.this.name
}
