output "rule_name" {
  description = "Name of the rule that starts the task."
  value       = aws_cloudwatch_event_rule.this.name
}
