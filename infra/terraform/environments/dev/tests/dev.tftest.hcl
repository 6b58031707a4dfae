mock_provider "aws" {
  source = "../../mocks"
}

variables {
  region       = "eu-central-1"
  packages     = { folder = "../../mocks/packages" }
  alarm_emails = ["ops@example.com"]
}

run "composes" {
  assert {
    condition     = output.settings["resolve"]["MDM_CHANGES_STREAM"] == "mdm-dev-changes" && output.api_url == null
    error_message = "The environment is not found by its settings."
  }
}

run "with_an_api" {
  command = plan

  variables {
    api_authorizer = { jwt = { issuer = "https://issuer.example.org", audience = ["mdm"] } }
  }

  assert {
    condition     = output.functions["events-api"].name == "mdm-dev-events-api"
    error_message = "The events API is not there."
  }
}

run "refuses_alarms_that_nothing_hears" {
  command = plan

  variables {
    alarm_emails = []
  }

  expect_failures = [var.alarm_emails]
}
