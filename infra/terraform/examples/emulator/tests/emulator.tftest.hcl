mock_provider "aws" {
  source = "../../mocks"
}

variables {
  packages  = { folder = "../../mocks/packages", architecture = "arm64" }
  redis_url = "rediss://mdm-emulator@localhost:6379/0?iam=elasticache:mdm-emulator&ssl_ca_certs=/tmp/ca.pem"
  snowflake = { account = "example-account", user = "GOLDEN_WRITER", database = "MDM", schema = "GOLDEN", lag_s = 0 }
}

run "functions_are_those_of_a_deployment" {
  assert {
    condition     = toset(keys(output.functions)) == toset(["resolve", "warehouse", "files-gatekeeper", "files-worker"])
    error_message = "The functions are others than those that have a zip here."
  }

  assert {
    condition     = alltrue([for name in keys(output.functions) : contains(keys(output.settings), name)])
    error_message = "A function has no settings among the outputs."
  }

  assert {
    condition     = output.settings["files-worker"].MDM_REDIS_URL == output.settings["resolve"].MDM_REDIS_URL
    error_message = "Functions of one deployment have different caches."
  }
}
