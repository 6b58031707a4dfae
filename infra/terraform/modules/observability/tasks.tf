# A task that a schedule has started and that fails may have written nothing, so its end is heard of as an event.

resource "aws_cloudwatch_event_rule" "task" {
  for_each = var.task_families

  name        = "${var.name}-${each.key}-ended-badly"
  description = "Tasks of ${each.key} that did not start, or ended with another code than 0"
  event_pattern = jsonencode({
    source        = ["aws.ecs"]
    "detail-type" = ["ECS Task State Change"]
    detail = {
      lastStatus        = ["STOPPED"]
      taskDefinitionArn = [{ prefix = "${each.value}:" }]
      "$or" = [
        { containers = { exitCode = [{ "anything-but" = [0] }] } },
        { stopCode = ["TaskFailedToStart"] },
      ]
    }
  })
}

resource "aws_cloudwatch_event_target" "task" {
  for_each = var.task_families

  rule = aws_cloudwatch_event_rule.task[each.key].name
  arn  = aws_sns_topic.this["ticket"].arn

  input_transformer {
    input_paths    = { task = "$.detail.taskArn", reason = "$.detail.stopCode" }
    input_template = "\"The task <task> (${each.key}) ended badly: <reason>. Runbook: ${var.runbooks_url}/task-failed.md\""
  }
}
