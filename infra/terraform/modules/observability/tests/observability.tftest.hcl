mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:topic" }
  }

  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-central-1:123456789012:rule/reconcile" }
  }
}

variables {
  name        = "mdm-test"
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  services    = ["resolve", "mdm-warehouse", "files", "files-worker"]

  functions = {
    resolve   = { name = "mdm-test-resolve", timeout_s = 180 }
    warehouse = { name = "mdm-test-warehouse", timeout_s = 60, reserved_concurrency = 1 }
    worker    = { name = "mdm-test-worker", timeout_s = 60, reserved_concurrency = 10 }
  }

  event_sources = {
    resolve-changes = { function_name = "mdm-test-resolve", uuid = "u-1", maximum_record_age_s = 82800 }
    warehouse       = { function_name = "mdm-test-warehouse", uuid = "u-2", maximum_record_age_s = 518400 }
  }

  queues = {
    drops  = { name = "mdm-test-drops", dead_letter_name = "mdm-test-drops-dead-letters" }
    chunks = { name = "mdm-test-chunks", dead_letter_name = "mdm-test-chunks-dead-letters", message_age_s_max = 600 }
  }

  streams            = { changes = { name = "mdm-test-changes" }, golden = { name = "mdm-test-golden" } }
  index              = { nodes = { first = "mdm-test-0001-001", second = "mdm-test-0001-002" } }
  api                = { kind = "http", id = "a1b2", stage = "live" }
  capture_slots      = ["shop"]
  reconciled_domains = ["person", "company"]
  reconcile_job_name = "mdm-test-reconcile"
  task_families      = { compaction = "arn:aws:ecs:eu-central-1:123456789012:task-definition/mdm-test-compaction" }
  subscriptions      = { duty = { protocol = "https", endpoint = "https://duty.example.org/alarm", severities = ["page"] } }
}

# Runs are few, as each starts the provider anew.

run "all_that_can_be_watched" {
  # every definition is deployed
  assert {
    condition     = toset([for each in local.definitions : each.name]) == toset([for each in local.alarms : each.definition.name])
    error_message = "A definition of alarms.json has no alarm though all that can be watched is there."
  }

  assert {
    condition     = length(local.definitions) >= 40 && length(aws_cloudwatch_metric_alarm.this) == length(local.alarms)
    error_message = "There are fewer alarms than definitions."
  }

  assert {
    condition     = alltrue([for each in aws_cloudwatch_metric_alarm.this : startswith(each.alarm_name, "mdm-test-")])
    error_message = "An alarm's name does not begin with the deployment's, so its topic would not take it."
  }

  # templates are filled in
  assert {
    condition = alltrue(flatten([
      for each in local.alarms : [
        for metric in each.metrics : !anytrue([for text in concat([metric.name], keys(metric.dimensions), values(metric.dimensions)) : startswith(text, "@")])
      ]
    ]))
    error_message = "A metric still has the name of a value in the place of the value."
  }

  # metrics of our own are those of this deployment
  assert {
    condition = alltrue(flatten([
      for each in local.alarms : [for metric in each.metrics : metric.namespace == "mdm-test" || startswith(metric.namespace, "AWS/")]
    ]))
    error_message = "A metric is looked for in another namespace than the one that this deployment's functions write to."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["index-in-doubt/resolve"].namespace == "mdm-test"
    error_message = "An alarm on a metric of ours is not in the deployment's namespace."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["api-errors/events"].metric_name == "5xx" && aws_cloudwatch_metric_alarm.this["api-errors/events"].dimensions == tomap({ ApiId = "a1b2", Stage = "live" })
    error_message = "The errors of an HTTP API are not watched under its own names."
  }

  # each alarm acts and has a runbook
  assert {
    condition     = alltrue([for each in aws_cloudwatch_metric_alarm.this : length(each.alarm_actions) == 1 && length(each.ok_actions) == 1 && each.actions_enabled != false])
    error_message = "An alarm has no action when it fires, or when it has cleared."
  }

  assert {
    condition     = alltrue([for each in aws_cloudwatch_metric_alarm.this : can(regex("Runbook: docs/operate/runbooks/[a-z-]+[.]md$", each.alarm_description))])
    error_message = "An alarm's description does not end with its runbook page."
  }

  # each dead letter queue has an alarm
  assert {
    condition = toset([for queue in var.queues : queue.dead_letter_name]) == toset([
      for key, each in aws_cloudwatch_metric_alarm.this : each.dimensions["QueueName"] if startswith(key, "dead-letters/")
    ])
    error_message = "A dead-letter queue has no alarm."
  }

  assert {
    condition     = alltrue([for key, each in aws_cloudwatch_metric_alarm.this : each.threshold == 0 && each.comparison_operator == "GreaterThanThreshold" if startswith(key, "dead-letters/")])
    error_message = "A single dead letter raises no alarm."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["queue-old/chunks"].threshold == 600 && aws_cloudwatch_metric_alarm.this["queue-old/drops"].threshold == 3600
    error_message = "Messages may wait longer than the queue's own age."
  }

  # thresholds follow what is watched
  assert {
    condition = alltrue([
      for key, source in var.event_sources : aws_cloudwatch_metric_alarm.this["iterator-age/${key}"].threshold == source.maximum_record_age_s * 1000 / 2
    ])
    error_message = "The iterator's age does not raise an alarm at half of the record age."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["function-slow/resolve"].threshold == 144000
    error_message = "An invocation is slow at 80 percent of the time-out."
  }

  assert {
    condition = { for key, each in aws_cloudwatch_metric_alarm.this : key => each.threshold if startswith(key, "function-concurrency/") } == {
      "function-concurrency/worker" = 9
    }
    error_message = "Concurrency is watched where more than one execution is reserved, and nowhere else."
  }

  # expressions and percentiles
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this["quarantine-share/resolve"].metric_query) == 3 && aws_cloudwatch_metric_alarm.this["quarantine-share/resolve"].metric_name == null
    error_message = "An alarm on an expression has not its metrics and the expression."
  }

  assert {
    condition     = alltrue([for each in aws_cloudwatch_metric_alarm.this : length([for query in each.metric_query : query if query.return_data == true]) == 1 if length(each.metric_query) > 0])
    error_message = "An alarm on an expression must return one result."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["event-to-golden-slow/resolve"].extended_statistic == "p99" && aws_cloudwatch_metric_alarm.this["event-to-golden-slow/resolve"].statistic == null
    error_message = "A percentile is not an extended statistic."
  }

  # topics are encrypted and tls only
  assert {
    condition     = alltrue([for each in aws_sns_topic.this : each.kms_master_key_id == var.kms_key_arn])
    error_message = "A topic is not encrypted by the key."
  }

  assert {
    condition = alltrue([
      for each in data.aws_iam_policy_document.topic : anytrue([
        for statement in each.statement : statement.effect == "Deny" && anytrue([for condition in statement.condition : condition.variable == "aws:SecureTransport" && contains(condition.values, "false")])
      ])
    ])
    error_message = "A topic takes messages without TLS."
  }

  assert {
    condition = alltrue(flatten([
      for each in data.aws_iam_policy_document.topic : [
        for statement in each.statement : length(statement.condition) > 0
      ]
    ]))
    error_message = "A statement of a topic's policy has no condition: others could publish."
  }

  assert {
    condition     = keys(aws_sns_topic_subscription.this) == ["duty/page"]
    error_message = "A subscriber hears of severities that were not asked for."
  }

  # the dashboard has what alarms are about
  assert {
    condition = length(setsubtract(
      toset(flatten([for alarm in local.alarms : [for metric in alarm.metrics : metric.name]])),
      toset(flatten([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : [for metric in widget.properties.metrics : try(metric[1], "") if length(metric) > 1] if widget.type == "metric"]))
    )) == 0
    error_message = "The dashboard lacks a metric that an alarm is about."
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) <= 500
    error_message = "CloudWatch takes 500 widgets a dashboard."
  }

  # a job that failed is reported
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.reconcile["reconcile"].event_pattern).detail.jobName == ["mdm-test-reconcile"]
    error_message = "The end of another job is listened for."
  }

  # so is a task
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.task["compaction"].event_pattern).detail.taskDefinitionArn == [{ prefix = "${var.task_families["compaction"]}:" }]
    error_message = "The end of another task is listened for."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_event_target.task["compaction"].input_transformer[0].input_template, "/task-failed.md")
    error_message = "A task that failed is reported without its runbook."
  }

  assert {
    condition     = toset([for statement in data.aws_iam_policy_document.topic["ticket"].statement : statement.sid]) == toset(["Alarms", "JobsCompaction", "JobsReconcile", "TlsOnly"])
    error_message = "Events of a job or a task do not reach the topic."
  }
}

run "without_the_optional_parts" {
  variables {
    services           = ["resolve"]
    functions          = {}
    event_sources      = {}
    queues             = {}
    streams            = {}
    index              = { nodes = { only = "mdm-test-001" } }
    api                = null
    capture_slots      = []
    reconciled_domains = []
    reconcile_job_name = null
    task_families      = {}
    subscriptions      = {}
    thresholds         = { event-to-golden-slow = 5000 }
  }

  assert {
    condition     = alltrue([for each in local.alarms : contains(["service", "index_node"], each.definition.each)]) && length(local.alarms) > 15
    error_message = "An alarm watches what is not there."
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.reconcile) == 0
    error_message = "There is a rule for a job that is not there."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["event-to-golden-slow/resolve"].threshold == 5000
    error_message = "A threshold is not taken."
  }
}

run "what_cannot_be_is_refused" {
  command = plan

  variables {
    thresholds    = { event-to-golden = 5000 }
    services      = ["warehouse"]
    functions     = { resolve = { name = "mdm-test-resolve", timeout_s = 901 } }
    queues        = { drops = { name = "mdm-test-drops", dead_letter_name = "" } }
    event_sources = { changes = { function_name = "mdm-test-resolve", uuid = "u-1", maximum_record_age_s = -1 } }
    subscriptions = { phone = { protocol = "http", endpoint = "http://duty.example.org" } }
    index         = { nodes = {} }
    api           = { kind = "websocket", id = "a1b2", stage = "live" }
    capture_slots = ["Shop"]
    task_families = { compaction = "mdm-test-compaction:7" }
    runbooks_url  = "https://example.org/runbooks/"
  }

  expect_failures = [
    var.thresholds,
    var.services,
    var.functions,
    var.queues,
    var.event_sources,
    var.subscriptions,
    var.index,
    var.api,
    var.capture_slots,
    var.task_families,
    var.runbooks_url,
  ]
}
