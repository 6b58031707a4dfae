# Alarms: every definition of alarms.json, once for each thing that it watches. The tests of the project evaluate
# the same file, by mdm_stream/local/alarms.

locals {
  definitions = jsondecode(file("${path.module}/alarms.json")).alarms

  # What there is one alarm each of, with the values that definitions name by @.
  subjects = {
    service = tomap({ for service in var.services : service => tomap({ "@service" = service }) })
    slot    = tomap({ for slot in var.capture_slots : slot => tomap({ "@slot" = slot }) })
    domain  = tomap({ for domain in var.reconciled_domains : domain => tomap({ "@domain" = domain }) })
    stream  = tomap({ for key, stream in var.streams : key => tomap({ "@stream_name" = stream.name }) })

    function = tomap({ for key, function in var.functions : key => tomap({
      "@function_name"   = function.name
      "@duration_ms_max" = tostring(function.timeout_s * 800)
    }) })

    # With one execution at a time, on purpose, all of it is always in use.
    reserved_function = tomap({ for key, function in var.functions : key => tomap({
      "@function_name"   = function.name
      "@concurrency_max" = tostring(0.9 * function.reserved_concurrency)
    }) if try(function.reserved_concurrency > 1, false) })

    event_source = tomap({ for key, source in var.event_sources : key => tomap({
      "@function_name"       = source.function_name
      "@event_source_uuid"   = source.uuid
      "@iterator_age_ms_max" = tostring(source.maximum_record_age_s * 500)
    }) })

    queue = tomap({ for key, queue in var.queues : key => tomap({
      "@queue_name"             = queue.name
      "@dead_letter_queue_name" = queue.dead_letter_name
      "@message_age_s_max"      = tostring(queue.message_age_s_max)
    }) })

    index_node       = tomap({ for key, id in try(var.index.nodes, {}) : key => tomap({ "@cache_cluster_id" = id }) })
    replicated_index = length(try(var.index.nodes, {})) > 1 ? tomap({ index = tomap({ "@service" = "resolve" }) }) : tomap({})

    api = var.api == null ? tomap({}) : tomap({ events = tomap({
      "@api_dimension" = var.api.kind == "rest" ? "ApiName" : "ApiId"
      "@api"           = var.api.id
      "@stage"         = var.api.stage
      "@server_errors" = var.api.kind == "rest" ? "5XXError" : "5xx"
    }) })
  }

  # By definition and key of what it watches. Templates are filled in; a threshold is a number.
  alarms = merge([
    for definition in local.definitions : {
      for key, subject in local.subjects[definition.each] : "${definition.name}/${key}" => {
        definition = definition
        threshold  = lookup(var.thresholds, definition.name, tonumber(lookup(subject, tostring(definition.threshold), tostring(definition.threshold))))
        metrics = {
          for id, metric in definition.metrics : id => {
            namespace = metric.namespace == "@metrics_namespace" ? var.name : metric.namespace
            name      = lookup(subject, metric.metric, metric.metric)
            statistic = metric.statistic
            dimensions = {
              for dimension, value in metric.dimensions : lookup(subject, dimension, dimension) => lookup(subject, value, value)
            }
          }
        }
        expression = try(definition.expression, null)
      } if length(try(definition.only, [])) == 0 || contains(try(definition.only, []), key)
    }
  ]...)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${var.name}-${replace(each.key, "/", "-")}"
  alarm_description = "${each.value.definition.summary} Runbook: ${var.runbooks_url}/${each.value.definition.runbook}"

  comparison_operator = each.value.definition.comparison
  threshold           = each.value.threshold
  evaluation_periods  = each.value.definition.evaluation_periods
  datapoints_to_alarm = each.value.definition.datapoints_to_alarm
  treat_missing_data  = each.value.definition.treat_missing_data

  namespace   = each.value.expression == null ? values(each.value.metrics)[0].namespace : null
  metric_name = each.value.expression == null ? values(each.value.metrics)[0].name : null
  dimensions  = each.value.expression == null ? values(each.value.metrics)[0].dimensions : null
  period      = each.value.expression == null ? each.value.definition.period_s : null

  statistic          = each.value.expression == null && !startswith(values(each.value.metrics)[0].statistic, "p") ? values(each.value.metrics)[0].statistic : null
  extended_statistic = each.value.expression == null && startswith(values(each.value.metrics)[0].statistic, "p") ? values(each.value.metrics)[0].statistic : null

  dynamic "metric_query" {
    for_each = each.value.expression == null ? {} : each.value.metrics

    content {
      id = metric_query.key

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        stat        = metric_query.value.statistic
        period      = each.value.definition.period_s
      }
    }
  }

  dynamic "metric_query" {
    for_each = each.value.expression == null ? [] : [each.value.expression]

    content {
      id          = "computed"
      label       = each.value.definition.name
      expression  = metric_query.value
      return_data = true
    }
  }

  alarm_actions = [aws_sns_topic.this[each.value.definition.severity].arn]
  ok_actions    = [aws_sns_topic.this[each.value.definition.severity].arn]
}
