# One dashboard: the states of all alarms, then what they are about, by group, each with its threshold.

locals {
  groups = distinct([for definition in local.definitions : definition.group])

  # An expression has a graph an alarm, since names of its metrics must be unique in a graph; all others one a definition.
  graphs = concat(
    [for definition in local.definitions : {
      group = definition.group
      title = definition.name
      keys  = [for key, alarm in local.alarms : key if alarm.definition.name == definition.name]
    } if try(definition.expression, null) == null],
    [for key, alarm in local.alarms : {
      group = alarm.definition.group
      title = alarm.definition.name
      keys  = [key]
    } if alarm.expression != null],
  )

  graph_widgets = { for group in local.groups : group => [
    for graph in local.graphs : {
      type   = "metric"
      width  = 8
      height = 5
      properties = {
        title   = graph.title
        region  = data.aws_region.current.name
        view    = "timeSeries"
        stacked = false
        period  = local.alarms[graph.keys[0]].definition.period_s
        metrics = concat(
          flatten([for key in graph.keys : [
            for id, metric in local.alarms[key].metrics : jsonencode(concat(
              [metric.namespace, metric.name],
              flatten([for dimension, value in metric.dimensions : [dimension, value]]),
              [{
                id      = local.alarms[key].expression == null ? "m${index(graph.keys, key)}" : id
                stat    = metric.statistic
                label   = split("/", key)[1]
                visible = local.alarms[key].expression == null
              }],
            ))
          ]]),
          [for key in graph.keys : jsonencode([{
            expression = local.alarms[key].expression
            id         = "computed"
            label      = split("/", key)[1]
          }]) if local.alarms[key].expression != null],
        )
        annotations = {
          horizontal = [{ label = "alarm", value = local.alarms[graph.keys[0]].threshold }]
        }
      }
    } if graph.group == group && length(graph.keys) > 0
  ] }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${var.name}-overview"
  dashboard_body = jsonencode({
    widgets = concat(
      length(local.alarms) == 0 ? [] : [{
        type       = "alarm"
        width      = 24
        height     = 6
        properties = { title = "Alarms", alarms = [for alarm in aws_cloudwatch_metric_alarm.this : alarm.arn] }
      }],
      flatten([for group in local.groups : concat(
        [{ type = "text", width = 24, height = 1, properties = { markdown = "## ${group}" } }],
        [for widget in local.graph_widgets[group] : merge(widget, {
          properties = merge(widget.properties, { metrics = [for metric in widget.properties.metrics : jsondecode(metric)] })
        })],
      ) if length(local.graph_widgets[group]) > 0]),
    )
  })
}
