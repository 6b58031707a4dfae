locals {
  # By iteration, and not by try(): that knows no keys where a value is known after apply alone.
  file_functions = merge([for ingest in module.ingest : ingest.functions]...)
  file_queues    = merge([for ingest in module.ingest : ingest.queues]...)

  functions = merge(
    { for function in module.resolve[*].function : "resolve" => function },
    { for function in module.warehouse[*].function : "warehouse" => function },
    { for function in module.api[*].function : "events-api" => function },
    { for name, function in local.file_functions : "files-${name}" => function },
  )
  reserved = { resolve = try(var.resolve.reserved_concurrency, null) }

  event_sources = merge(concat(
    [for resolve in module.resolve : {
      for name, mapping in resolve.event_sources : name => merge(mapping, { function = resolve.function.name })
    }],
    [for warehouse in module.warehouse : { golden = merge(warehouse.event_source, { function = warehouse.function.name }) }],
  )...)
}

module "observability" {
  source = "../observability"

  name          = var.name
  kms_key_arn   = module.key.arn
  subscriptions = var.alarms.subscriptions
  runbooks_url  = var.alarms.runbooks_url
  thresholds    = var.alarms.thresholds

  services = setunion(
    ["resolve"],
    var.warehouse == null ? [] : ["mdm-warehouse"],
    var.files == null ? [] : ["files", "files-worker"],
  )

  functions = {
    for name, function in local.functions : name => {
      name                 = function.name
      timeout_s            = function.timeout_s
      reserved_concurrency = lookup(local.reserved, name, null)
    }
  }

  event_sources = {
    for name, mapping in local.event_sources : name => {
      function_name        = mapping.function
      uuid                 = mapping.uuid
      maximum_record_age_s = mapping.maximum_record_age_s
    }
  }

  queues = {
    for name, queue in local.file_queues : name => {
      name             = queue.name
      dead_letter_name = queue.dead_letter_name
    }
  }

  streams = {
    changes = { name = module.streams.change_stream.name }
    steward = { name = module.streams.steward_stream.name }
    golden  = { name = module.streams.golden_stream.name }
  }

  index              = var.index.elasticache == null ? null : { nodes = module.index[0].nodes }
  api                = one(module.api[*].gateway)
  capture_slots      = toset([for capture in values(var.captures) : capture.slot])
  reconciled_domains = try(var.reconcile.domains, [])
  reconcile_job_name = one(module.reconcile[*].job_name)

  task_families = merge(
    { for task in module.compaction : "compaction" => task.family_arn },
    { for task in module.snapshots : "snapshots" => task.family_arn },
  )
}

module "budget" {
  source = "../budget"
  count  = var.budget == null ? 0 : 1

  name        = var.name
  monthly_usd = var.budget.monthly_usd
  tag         = { key = "Deployment", value = var.name }
  notify      = { emails = var.budget.emails }
}
