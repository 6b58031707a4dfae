mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "mdm-test-resolve-tick"
  description = "Publishes what waits without a batch"
  function    = { name = "mdm-test-resolve", arn = "arn:aws:lambda:eu-central-1:123456789012:function:mdm-test-resolve" }
}

run "every_minute" {
  assert {
    condition     = aws_cloudwatch_event_rule.this.schedule_expression == "rate(1 minute)"
    error_message = "The tick does not come every minute."
  }

  assert {
    condition     = aws_cloudwatch_event_target.this.arn == var.function.arn && aws_cloudwatch_event_target.this.retry_policy[0].maximum_retry_attempts == 0
    error_message = "The tick goes elsewhere, or ticks pile up."
  }

  assert {
    condition     = aws_lambda_permission.this.source_arn == aws_cloudwatch_event_rule.this.arn
    error_message = "Other rules may invoke the function."
  }
}

run "refuses_no_schedule" {
  command = plan

  variables {
    expression = "every minute"
    input      = "{"
    retries    = -1
  }

  expect_failures = [var.expression, var.input, var.retries]
}
