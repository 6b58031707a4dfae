mock_provider "aws" {
  source = "../../mocks"
}

variables {
  packages = {
    folder      = "../../mocks/packages"
    glue_folder = "../../mocks/packages"
  }
  images = {
    files    = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-files@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    commands = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-commands@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    reader   = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-postgres-reader@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }
  database = {
    address            = "postgresql://reader@crm.example.internal:5432/crm?sslmode=require"
    password_from      = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:crm-reader-AbCdEf"
    security_group_ids = ["sg-crm"]
  }
}

run "processes_share_their_surroundings" {
  assert {
    condition = alltrue([
      for process in ["files-gatekeeper", "files-worker", "events-api"] : alltrue([
        for setting, value in output.settings[process] : value == lookup(output.settings["resolve"], setting, value)
      ])
    ])
    error_message = "Processes of one deployment have different surroundings."
  }

  assert {
    condition = alltrue([
      for process in ["resolve", "files-gatekeeper", "files-worker", "events-api"] : alltrue([
        for setting in ["MDM_RULES", "MDM_REDIS_URL", "MDM_CHANGES_STREAM", "MDM_QUARANTINE_URL", "MDM_NAMESPACE"] :
        contains(keys(output.settings[process]), setting)
      ])
    ])
    error_message = "A process lacks what all need."
  }

  assert {
    condition     = output.settings["resolve"]["MDM_STEWARD_STREAM"] == "mdm-complete-steward" && output.settings["resolve"]["MDM_CHANGES_STREAM"] == "mdm-complete-changes"
    error_message = "The policy in authority.json names other streams than there are."
  }

  assert {
    condition     = toset(keys(output.secrets_to_fill)) == toset(["events-api", "warehouse"])
    error_message = "An operator is asked for other secrets than those that the processes read."
  }
}
