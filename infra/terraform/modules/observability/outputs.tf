output "topic_arn" {
  description = "ARN of the topic of alarms that page."
  value       = aws_sns_topic.this["page"].arn
}

output "topic_arns" {
  description = "ARNs of both topics, by severity (page, ticket)."
  value       = { for severity, topic in aws_sns_topic.this : severity => topic.arn }
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "alarm_names" {
  description = "Names of all alarms, by definition and what it watches, such as dead-letters/files."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.alarm_name }
}

output "monthly_alarm_metrics" {
  description = "Metrics that the alarms evaluate, which is what CloudWatch bills alarms by."
  value       = sum(concat([0], [for alarm in local.alarms : length(alarm.metrics)]))
}
