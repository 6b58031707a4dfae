mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name          = "mdm-test"
  source_name   = "shop"
  image         = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-postgres-reader@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  cluster_arn   = "arn:aws:ecs:eu-central-1:123456789012:cluster/mdm-test"
  change_stream = { name = "mdm-test-changes", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-changes" }
  vpc           = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
  kms_key_arn   = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  rules         = ["person"]

  database = {
    address       = "postgresql://reader@db.example.internal/shop?sslmode=require"
    password_from = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf:password::"
  }
}

run "one_reader_a_slot" {
  assert {
    condition     = aws_ecs_service.this.desired_count == 1 && aws_ecs_service.this.deployment_maximum_percent == 100
    error_message = "Two readers of a slot may run at once, of which PostgreSQL refuses one."
  }

  assert {
    condition     = !aws_ecs_service.this.network_configuration[0].assign_public_ip
    error_message = "The reader has a public address."
  }

  assert {
    condition     = jsonencode(local.command) == jsonencode(["postgresql://reader@db.example.internal/shop?sslmode=require", "--stream", "mdm-test-changes", "--region", "eu-central-1", "--slot", "mdm_stream", "--publication", "mdm_stream", "--rules", "person", "--status-interval", "10", "--emf"])
    error_message = "The reader is started otherwise than docs/operate/postgres.md says."
  }
}

run "rights_name_what_they_are_for" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement :
      contains(["kinesis:PutRecords", "kms:GenerateDataKey"], join(" ", statement.actions)) && !contains(statement.resources, "*")
    ])
    error_message = "The reader may do more than put records on the change stream."
  }
}

run "a_password_in_the_address_is_refused" {
  command = plan

  variables {
    database = {
      address       = "postgresql://reader:word@db.example.internal/shop?sslmode=require"
      password_from = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf"
    }
  }

  expect_failures = [var.database]
}

run "without_tls_is_refused" {
  command = plan

  variables {
    database = {
      address       = "postgresql://reader@db.example.internal/shop"
      password_from = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf"
    }
  }

  expect_failures = [var.database]
}
