mock_provider "aws" {
  source = "../../mocks"
}

variables {
  deployment_name = "mdm-test"
  name            = "mdm-test-resolve"
  description     = "Resolves change events"
  package         = "./main.tf" # any file: it is only hashed
  handler         = "consumers.resolve.handler.handler"
  memory_mb       = 1769
  timeout_s       = 180
  environment     = { MDM_RULES = "person" }
  policy_json     = "{}"
  kms_key_arn     = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "encrypted_and_traced" {
  assert {
    condition     = aws_lambda_function.this.kms_key_arn == var.kms_key_arn
    error_message = "The settings are not encrypted by the key."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "The log group is not encrypted by the key."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "Log lines are not kept for the 30 days of the default."
  }

  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "Active"
    error_message = "X-Ray does not trace the function."
  }

  assert {
    condition     = aws_lambda_function.this.logging_config[0].log_group == "/aws/lambda/mdm-test-resolve"
    error_message = "The function logs elsewhere than to its own group."
  }

  assert {
    condition     = aws_lambda_function.this.runtime == "python3.11" && aws_lambda_function.this.architectures == tolist(["arm64"])
    error_message = "The function is not what the packages were built for."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables == tomap({ MDM_DEPLOYMENT = "mdm-test", MDM_RULES = "person", POWERTOOLS_METRICS_NAMESPACE = "mdm-test" })
    error_message = "The function has other settings than those given."
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "Concurrency is reserved that nothing asked for."
  }
}

run "without_a_network" {
  assert {
    condition     = length(aws_lambda_function.this.vpc_config) == 0 && length(aws_iam_role_policy.network) == 0
    error_message = "A function without a VPC has rights on network interfaces."
  }
}

run "in_a_network" {
  variables {
    vpc = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
  }

  assert {
    condition     = aws_lambda_function.this.vpc_config[0].subnet_ids == toset(["subnet-1"]) && length(aws_iam_role_policy.network) == 1
    error_message = "The function is not in its subnets, or cannot make its network interface."
  }

  assert {
    condition     = anytrue([for statement in data.aws_iam_policy_document.network.statement : statement.effect == "Deny"])
    error_message = "The code may use the rights on network interfaces."
  }
}

run "as_an_image" {
  variables {
    package = null
    image   = { uri = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/files@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  }

  assert {
    condition     = aws_lambda_function.this.package_type == "Image" && aws_lambda_function.this.image_config[0].command == tolist([var.handler])
    error_message = "The image does not run the handler."
  }
}

run "refuses_neither_zip_nor_image" {
  command = plan

  variables {
    package = null
  }

  expect_failures = [var.image]
}

run "refuses_a_tag" {
  command = plan

  variables {
    package = null
    image   = { uri = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/files:latest" }
  }

  expect_failures = [var.image]
}

run "refuses_what_lambda_would" {
  command = plan

  variables {
    timeout_s          = 901
    memory_mb          = 64
    runtime            = "python3.12"
    architecture       = "riscv"
    log_retention_days = 31
    name               = "Mdm"
  }

  expect_failures = [var.timeout_s, var.memory_mb, var.runtime, var.architecture, var.log_retention_days, var.name]
}
