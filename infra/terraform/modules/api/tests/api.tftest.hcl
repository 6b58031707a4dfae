mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name          = "mdm-test"
  package       = "./main.tf" # any file: it is only hashed
  change_stream = { name = "mdm-test-changes", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-changes" }
  quarantine    = { name = "mdm-test-quarantine", arn = "arn:aws:s3:::mdm-test-quarantine" }
  vpc           = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
  kms_key_arn   = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"

  deployment = {
    MDM_RULES          = "person"
    MDM_REDIS_URL      = "rediss://mdm@cache:6379/0?iam=elasticache:mdm-test-index"
    MDM_CHANGES_STREAM = "mdm-test-changes"
    MDM_QUARANTINE_URL = "s3://mdm-test-quarantine/quarantine"
    MDM_GOLDEN_STREAM  = "mdm-test-golden"
    MDM_AUTHORITY      = "{\"callers\": {\"arn:aws:sts::123456789012:assumed-role/crm/*\": {\"allowed_sources\": [\"crm\"]}}}"
  }

  redis = {
    url            = "rediss://mdm-test-index@cache.example.internal:6379/0?iam=elasticache:mdm-test-index"
    connect_action = "elasticache:Connect"
    connect_arns   = ["arn:aws:elasticache:eu-central-1:123456789012:replicationgroup:mdm-test-index", "arn:aws:elasticache:eu-central-1:123456789012:user:mdm-test-index"]
  }

  authorizer = {
    jwt = { issuer = "https://issuer.example.org", audience = ["mdm"] }
  }
}

run "every_request_has_a_token" {
  assert {
    condition     = length(aws_apigatewayv2_route.this) == 1 && aws_apigatewayv2_route.this[0].authorization_type == "JWT" && aws_apigatewayv2_route.this[0].route_key == "$default"
    error_message = "A route lets requests in that nothing identifies."
  }

  assert {
    condition     = aws_apigatewayv2_authorizer.this[0].jwt_configuration[0].issuer == "https://issuer.example.org" && aws_apigatewayv2_authorizer.this[0].jwt_configuration[0].audience == toset(["mdm"])
    error_message = "Tokens of another issuer, or for another service, count."
  }

  assert {
    condition     = length(aws_api_gateway_rest_api.this) == 0
    error_message = "There is a second way in."
  }

  assert {
    condition     = aws_apigatewayv2_stage.this[0].default_route_settings[0].throttling_rate_limit == 100 && aws_apigatewayv2_stage.this[0].default_route_settings[0].throttling_burst_limit == 200
    error_message = "Requests are not throttled."
  }

  assert {
    condition     = output.url == "https://mock.execute-api.eu-central-1.amazonaws.com"
    error_message = "The address is another one."
  }
}

run "the_access_log_knows_no_person" {
  assert {
    condition = alltrue([
      for word in ["sourceIp", "caller", "user", "principal", "claims", "path", "Path", "domainName", "header"] :
      !strcontains(aws_apigatewayv2_stage.this[0].access_log_settings[0].format, word)
    ])
    error_message = "The access log has an address, a caller or a path."
  }

  assert {
    condition     = aws_cloudwatch_log_group.access.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.access.retention_in_days == 30
    error_message = "The access log is not encrypted by the key, or kept for ever."
  }
}

run "settings" {
  assert {
    condition     = output.environment["MDM_API_ID_KEYS"] == "secretsmanager:mdm-test/events-api/" && output.environment["MDM_API_ID_KEY"] == "events-api" && aws_secretsmanager_secret.id_key.name == "mdm-test/events-api/events-api"
    error_message = "The key that seals ids is elsewhere than the function looks."
  }

  assert {
    condition     = output.environment["MDM_RULES"] == "person" && !contains(keys(output.environment), "MDM_GOLDEN_STREAM")
    error_message = "The API has other settings of the consumer than those that it reads."
  }

  assert {
    condition     = aws_secretsmanager_secret.id_key.kms_key_id == var.kms_key_arn
    error_message = "The key that seals ids is not encrypted by the key."
  }
}

run "rights_name_what_they_are_for" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement :
      !contains(statement.resources, "*") && alltrue([for action in statement.actions : !strcontains(action, "*") && action != "s3:PutObject"])
    ])
    error_message = "The policy has a star, or writes objects."
  }

  assert {
    condition     = aws_lambda_permission.this.source_arn == "arn:aws:execute-api:eu-central-1:123456789012:mock/*/*"
    error_message = "Another API may invoke the function."
  }
}

run "signed_requests_with_an_acl" {
  variables {
    authorizer = {
      iam = { web_acl = { arn = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/mdm/11111111-2222-3333-4444-555555555555" } }
    }
  }

  assert {
    condition     = aws_api_gateway_method.this[0].authorization == "AWS_IAM" && length(aws_apigatewayv2_api.this) == 0
    error_message = "Requests come in that nothing identifies."
  }

  assert {
    condition     = aws_wafv2_web_acl_association.this[0].resource_arn == aws_api_gateway_stage.this[0].arn
    error_message = "The ACL is not before the API."
  }

  assert {
    condition     = !aws_api_gateway_method_settings.this[0].settings[0].data_trace_enabled && aws_api_gateway_method_settings.this[0].settings[0].logging_level == "OFF"
    error_message = "API Gateway would log events."
  }

  assert {
    condition     = aws_api_gateway_method_settings.this[0].settings[0].throttling_rate_limit == 100 && aws_api_gateway_stage.this[0].xray_tracing_enabled
    error_message = "Requests are not throttled or not traced."
  }

  assert {
    condition     = !contains(keys(output.environment), "MDM_API_SOURCES_CLAIM")
    error_message = "A claim is asked for where there are no tokens."
  }
}

run "a_host_name_is_the_only_way_in" {
  variables {
    domain = { name = "events.example.org", certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/11111111-2222-3333-4444-555555555555" }
  }

  assert {
    condition     = aws_apigatewayv2_api.this[0].disable_execute_api_endpoint && aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].security_policy == "TLS_1_2"
    error_message = "The API answers at AWS's address too, or to old TLS."
  }

  assert {
    condition     = output.url == "https://events.example.org"
    error_message = "The address is another one."
  }
}

run "no_authorizer_is_refused" {
  command = plan

  variables {
    authorizer = {}
  }

  expect_failures = [var.authorizer]
}

run "signed_requests_without_callers_are_refused" {
  command = plan

  variables {
    authorizer = { iam = {} }
    deployment = { MDM_RULES = "person", MDM_REDIS_URL = "rediss://cache/0", MDM_CHANGES_STREAM = "c", MDM_QUARANTINE_URL = "s3://q/q" }
  }

  expect_failures = [var.authorizer]
}
