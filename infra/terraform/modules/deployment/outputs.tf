output "settings" {
  description = "Settings of each process as it has them, by what it is (resolve, warehouse, events-api, files-gatekeeper, files-worker, kcl), and those with which an operator runs commands (commands, with --environment)."
  value = merge(
    { for environment in module.resolve[*].environment : "resolve" => environment },
    { for environment in module.warehouse[*].environment : "warehouse" => environment },
    { for environment in module.api[*].environment : "events-api" => environment },
    { for name, function in local.file_functions : "files-${name}" => function.environment },
    { for name, consumer in module.kcl : name => consumer.environment },
    {
      commands = merge(concat(
        [module.consumer.environment],
        [for warehouse in module.warehouse : {
          for name, value in warehouse.environment : name => value if startswith(name, "MDM_WAREHOUSE_")
        }],
        [for ingest in module.ingest : {
          for name, value in ingest.functions["gatekeeper"].environment : name => value if startswith(name, "MDM_FILES_")
        }],
        [{ MDM_SNAPSHOTS_URL = "s3://${module.objects.snapshots.name}/${module.objects.snapshots.prefix}" }],
      )...)
    },
  )
}

output "functions" {
  description = "Functions by what they are: name, ARN, role and log group."
  value       = local.functions
}

output "streams" {
  description = "Streams by what they carry: name and ARN."
  value = {
    changes = module.streams.change_stream
    steward = module.streams.steward_stream
    golden  = module.streams.golden_stream
  }
}

output "buckets" {
  description = "Buckets by what they hold: name, ARN and, where it has one, prefix."
  value = {
    archive    = module.objects.archive
    quarantine = module.objects.quarantine
    on_failure = module.objects.on_failure
    drop       = module.objects.drop
    loads      = module.objects.loads
  }
}

output "event_sources" {
  description = "Event source mappings by stream: id, and settings by the names of the local event source."
  value       = { for name, mapping in local.event_sources : name => { uuid = mapping.uuid, settings = mapping.settings } }
}

output "redis_url" {
  description = "Address of the index, without a secret in it (MDM_REDIS_URL)."
  value       = local.redis.url
}

output "api_url" {
  description = "Address of the events API; null without one."
  value       = one(module.api[*].url)
}

output "secrets_to_fill" {
  description = "Secrets that an operator puts a value into before the process that reads it works: the key that seals ids, and Snowflake's private key."
  value = merge(
    { for arn in module.api[*].id_key_secret_arn : "events-api" => arn },
    { for arn in module.warehouse[*].private_key_secret_arn : "warehouse" => arn },
  )
}

output "alarm_topic_arns" {
  description = "Topics of alarms by severity (page, ticket)."
  value       = module.observability.topic_arns
}

output "dashboard_name" {
  description = "Name of the dashboard on CloudWatch."
  value       = module.observability.dashboard_name
}

output "reconcile_job_name" {
  description = "Name of the job on Glue; null without one."
  value       = one(module.reconcile[*].job_name)
}

output "function_security_group_id" {
  description = "Security group of functions, containers and jobs, which a database that is captured lets in."
  value       = module.network.function_security_group_id
}

output "functions_vpc" {
  description = "Private subnets and that security group, as the vpc of a module takes them that is put beside this one."
  value       = module.network.functions_vpc
}

output "kms_key_arn" {
  description = "ARN of the deployment's key."
  value       = module.key.arn
}

output "interface_endpoints" {
  description = "Services that are reached through an interface endpoint, each of which costs by the hour and zone."
  value       = local.endpoints
}

output "inventory" {
  description = "What `mdm-stream doctor --environment` looks at: the name of each thing, and what it has to be."
  value = {
    format      = 1
    name        = var.name
    kms_key_arn = module.key.arn
    streams = {
      for key, stream in {
        changes = module.streams.change_stream
        steward = module.streams.steward_stream
        golden  = module.streams.golden_stream
      } : key => { name = stream.name, retention_hours = stream.retention_hours }
    }
    buckets = {
      archive    = module.objects.archive.name
      quarantine = module.objects.quarantine.name
      on_failure = module.objects.on_failure.name
      drop       = module.objects.drop.name
      loads      = module.objects.loads.name
      work       = module.objects.workspace.name
    }
    functions = {
      for key, function in local.functions : key => { name = function.name, code_sha256 = function.code_sha256 }
    }
    event_sources = {
      for key, mapping in local.event_sources : key => {
        uuid     = mapping.uuid
        function = mapping.function
        stream   = mapping.stream_name
        settings = mapping.settings
      }
    }
    queues = {
      for key, queue in local.file_queues : key => { name = queue.name, dead_letter_name = queue.dead_letter_name }
    }
    secrets = merge(
      { for arn in module.api[*].id_key_secret_arn : "events-api" => arn },
      { for arn in module.warehouse[*].private_key_secret_arn : "warehouse" => arn },
    )
    alarms  = module.observability.alarm_names
    cluster = local.has_containers ? module.cluster[0].name : ""
    services = merge(
      { for name, consumer in module.kcl : name => consumer.service_name },
      { for name, capture in module.capture : "capture-${name}" => capture.service_name },
    )
  }
}
