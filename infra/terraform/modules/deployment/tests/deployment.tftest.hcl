mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name     = "mdm-test"
  rules    = ["person"]
  packages = { folder = "../../mocks/packages", glue_folder = "../../mocks/packages" }
}

run "the_least" {
  assert {
    condition     = keys(output.functions) == ["resolve"] && toset(keys(output.settings)) == toset(["commands", "resolve"])
    error_message = "There is more than the resolve consumer, or less."
  }

  assert {
    condition     = length(module.cluster) == 0 && length(module.api) == 0 && output.api_url == null && output.secrets_to_fill == {}
    error_message = "A part is there that was not asked for."
  }

  assert {
    condition     = strcontains(output.settings["resolve"]["MDM_REDIS_URL"], "?iam=elasticache:") && output.settings["resolve"]["MDM_CHANGES_STREAM"] == output.streams["changes"].name
    error_message = "The consumer does not reach its index or its stream."
  }

  assert {
    condition     = output.event_sources["changes"].settings.maximum_record_age_s == 518400
    error_message = "Of a stream of seven days, a record is to be set aside a day before it is forgotten."
  }
}

run "endpoints_of_the_least" {
  assert {
    condition     = output.interface_endpoints == toset(["kinesis-streams", "xray"])
    error_message = "There are endpoints that nothing asks for."
  }
}

run "everything" {
  variables {
    files      = { image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-files@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
    compaction = { image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-commands@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
    snapshots  = { image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-commands@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
    reconcile  = { domains = ["person"], compare_warehouse = true }
    budget     = { monthly_usd = 100, emails = ["platform@example.org"] }
    api        = { authorizer = { jwt = { issuer = "https://issuer.example.org", audience = ["mdm"] } } }

    warehouse = {
      snowflake = { account = "org-account", user = "MDM_WRITER", database = "MDM", schema = "GOLDEN", warehouse = "MDM_LOAD" }
      lineage   = { url = "https://lineage.example.org" }
    }

    captures = {
      shop = {
        image         = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-postgres-reader@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        address       = "postgresql://reader@db.example.internal/shop?sslmode=require"
        password_from = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf:password::"
      }
    }

    alarms = {
      subscriptions = { platform = { protocol = "email", endpoint = "platform@example.org" } }
    }
  }

  assert {
    condition     = toset(keys(output.functions)) == toset(["events-api", "files-gatekeeper", "files-worker", "resolve", "warehouse"])
    error_message = "A function is missing, or one too many."
  }

  assert {
    condition     = toset(keys(output.event_sources)) == toset(["changes", "golden", "steward"])
    error_message = "A stream is not read."
  }

  assert {
    condition     = output.settings["events-api"]["MDM_REDIS_URL"] == output.settings["resolve"]["MDM_REDIS_URL"] && output.settings["files-worker"]["MDM_CHANGES_STREAM"] == output.settings["resolve"]["MDM_CHANGES_STREAM"]
    error_message = "Parts of one deployment use different indexes or streams."
  }

  assert {
    condition     = keys(output.inventory.functions) == keys(output.functions) && keys(output.inventory.event_sources) == keys(output.event_sources) && keys(output.inventory.queues) == ["chunks", "drops"] && output.inventory.secrets == output.secrets_to_fill
    error_message = "The inventory, which doctor looks at, lacks something that is there."
  }

  assert {
    condition     = output.inventory.streams["changes"] == { name = output.streams["changes"].name, retention_hours = 168 } && output.inventory.event_sources["golden"].stream == output.streams["golden"].name && length(output.inventory.alarms) > 60
    error_message = "The inventory has other streams or alarms than there are."
  }

  assert {
    condition     = output.inventory.functions["resolve"].code_sha256 != null && output.inventory.functions["files-worker"].code_sha256 == null
    error_message = "The digest of a package is not known, or an image has one."
  }

  assert {
    condition     = output.settings["commands"]["MDM_WAREHOUSE_KIND"] == "snowflake" && strcontains(output.settings["commands"]["MDM_SNAPSHOTS_URL"], "/archive/feed-snapshots")
    error_message = "Commands do not have what the processes have."
  }

  assert {
    condition     = toset(keys(output.secrets_to_fill)) == toset(["events-api", "warehouse"])
    error_message = "A secret that has to be put in by hand is not named."
  }

  assert {
    condition     = contains(module.snapshots[0].command, output.settings["commands"]["MDM_SNAPSHOTS_URL"]) && module.snapshots[0].rule_name != module.compaction[0].rule_name
    error_message = "Snapshots go elsewhere than where commands look for them."
  }

  assert {
    condition     = module.reconcile[0].arguments["--SETTLE_S"] == "180" && module.reconcile[0].arguments["--REDIS_URL"] == output.redis_url
    error_message = "The job has other settings than the consumer."
  }

  assert {
    condition = alltrue([
      for settings in values(output.settings) : alltrue([for value in values(settings) : !can(regex("(?i)password", value))])
    ])
    error_message = "A setting holds a password."
  }
}

run "in_containers" {
  override_resource {
    target = module.index_memorydb[0].aws_memorydb_cluster.this
    values = {
      cluster_endpoint = [{ address = "clustercfg.mdm-test-index.memorydb.eu-central-1.amazonaws.com", port = 6379 }]
    }
  }

  variables {
    resolve = null
    kcl     = { image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-kcl@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
    index   = { memorydb = {} }
  }

  assert {
    condition     = toset(keys(module.kcl)) == toset(["kcl", "kcl-steward"]) && length(module.resolve) == 0
    error_message = "Both streams are to be read by containers, and by no function."
  }

  assert {
    condition     = keys(output.inventory.services) == ["kcl", "kcl-steward"] && output.inventory.cluster != ""
    error_message = "The inventory lacks containers."
  }

  assert {
    condition     = output.settings["kcl-steward"]["MDM_KCL_STREAM"] == output.streams["steward"].name && strcontains(output.redis_url, "?iam=memorydb:")
    error_message = "The steward stream is not read, or the index is not MemoryDB."
  }
}

run "both_ways_at_once_are_refused" {
  command = plan

  variables {
    kcl = { image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-kcl@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  }

  expect_failures = [var.resolve]
}

run "snapshots_that_come_too_late_are_refused" {
  command = plan

  variables {
    streams   = { golden = { retention_hours = 24 } }
    snapshots = { image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-commands@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  }

  expect_failures = [var.snapshots]
}

run "two_indexes_are_refused" {
  command = plan

  variables {
    index = { elasticache = {}, memorydb = {} }
  }

  expect_failures = [var.index]
}
