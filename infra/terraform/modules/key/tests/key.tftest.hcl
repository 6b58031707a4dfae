mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name = "mdm-test"
}

run "rotated" {
  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "The key is not rotated."
  }

  assert {
    condition     = aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key is gone before the 30 days in which a mistake can be taken back."
  }
}

run "services_are_bound_to_the_account" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement :
      length(statement.condition) > 0 if !contains(["Account", "LookAtKey"], statement.sid)
    ])
    error_message = "A service may encrypt or decrypt without a condition."
  }
}

run "refuses_a_short_window" {
  command = plan

  variables {
    deletion_window_days = 3
  }

  expect_failures = [var.deletion_window_days]
}
