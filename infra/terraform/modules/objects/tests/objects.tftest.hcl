mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "mdm-test"
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "buckets" {
  command = plan

  assert {
    condition     = toset(keys(local.lifecycle_rules)) == toset(["archive", "quarantine", "on-failure", "drop", "loads", "work"])
    error_message = "There are other buckets than the six of a deployment."
  }
}

run "archive_is_kept" {
  command = plan

  assert {
    condition = alltrue([
      for rule in local.lifecycle_rules["archive"] :
      lookup(rule, "expire_after_days", null) == null if rule.prefix != "archive/claims/"
    ])
    error_message = "A rule removes what state is made of."
  }

  assert {
    condition     = length(local.lifecycle_rules["loads"]) == 0
    error_message = "A rule removes loads, by which a file that is delivered again is known."
  }
}

run "drops_are_not" {
  command = plan

  assert {
    condition     = local.lifecycle_rules["drop"][0].expire_after_days == 7
    error_message = "Dropped files, which no erasure reaches, stay for more than the 7 days of the default."
  }
}

run "tables_of_jobs_are_not" {
  command = plan

  assert {
    condition     = local.lifecycle_rules["work"][0].prefix == "reconcile/" && local.lifecycle_rules["work"][0].expire_after_days == 3
    error_message = "Tables of a reconciliation, which hold values, stay for more than 3 days."
  }
}

run "refuses_what_loses" {
  command = plan

  variables {
    claims_days       = 1
    dead_letter_days  = 1
    drop_days         = 400
    archive_tier_days = 1
    noncurrent_days   = 0
  }

  expect_failures = [
    var.claims_days, var.dead_letter_days, var.drop_days, var.archive_tier_days, var.noncurrent_days,
  ]
}
