mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "mdm-test"
  monthly_usd = 500
  tag         = { key = "Deployment", value = "mdm-test" }
  notify      = { emails = ["platform@example.org"] }
}

run "four_thresholds" {
  assert {
    condition     = length(aws_budgets_budget.this.notification) == 4 && aws_budgets_budget.this.limit_amount == "500"
    error_message = "The budget is another one, or has other thresholds."
  }

  assert {
    condition     = anytrue([for filter in aws_budgets_budget.this.cost_filter : tolist(filter.values) == tolist(["user:Deployment$mdm-test"])])
    error_message = "The budget counts what other deployments cost."
  }
}

run "a_budget_that_reaches_no_person_is_refused" {
  command = plan

  variables {
    notify = {}
  }

  expect_failures = [var.notify]
}
