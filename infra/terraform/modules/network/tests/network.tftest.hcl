mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "mdm-test"
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "nothing_public" {
  assert {
    condition     = alltrue([for subnet in aws_subnet.private : !coalesce(subnet.map_public_ip_on_launch, false)])
    error_message = "A subnet gives public addresses."
  }

  assert {
    condition     = length(coalesce(aws_default_security_group.this["vpc"].ingress, [])) == 0
    error_message = "The default security group lets something in."
  }

  assert {
    condition     = length(aws_subnet.private) == 2 && length(aws_route_table_association.private) == 2
    error_message = "There is no private subnet in each of two zones."
  }

  assert {
    condition = alltrue([
      aws_vpc_security_group_ingress_rule.index_from_functions.cidr_ipv4 == null,
      aws_vpc_security_group_ingress_rule.endpoints_from_functions.cidr_ipv4 == null,
    ])
    error_message = "A security group lets addresses in, and not a security group."
  }
}

run "index_port_alone" {
  assert {
    condition     = aws_vpc_security_group_ingress_rule.index_from_functions.from_port == 6379 && aws_vpc_security_group_ingress_rule.index_from_functions.to_port == 6379
    error_message = "The cache is reached by other ports than its own."
  }
}

run "endpoints" {
  assert {
    condition = alltrue([
      for service in ["kinesis-streams", "sqs", "sns", "events", "secretsmanager", "kms", "logs", "monitoring", "xray"] :
      contains(keys(aws_vpc_endpoint.interface), service)
    ])
    error_message = "A service that functions ask has no endpoint."
  }

  assert {
    condition     = toset(keys(aws_vpc_endpoint.gateway)) == toset(["s3", "dynamodb"])
    error_message = "S3 and DynamoDB are not reached by gateways."
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled && length(endpoint.subnet_ids) == 2])
    error_message = "An endpoint is not found by the service's own name, or is not in each zone."
  }
}

run "images_can_be_pulled" {
  assert {
    condition     = data.aws_iam_policy_document.s3.statement[0].resources == toset(["arn:aws:s3:::prod-eu-central-1-starport-layer-bucket/*"])
    error_message = "Layers of images are refused by the endpoint, so no container starts."
  }
}

run "flow_log" {
  assert {
    condition     = aws_flow_log.this["vpc"].traffic_type == "REJECT" && aws_cloudwatch_log_group.flow["vpc"].kms_key_id == var.kms_key_arn
    error_message = "Refused connections are not logged, or not encrypted."
  }
}

run "existing" {
  variables {
    existing = {
      vpc_id             = "vpc-1"
      private_subnet_ids = ["subnet-a", "subnet-b"]
      route_table_ids    = ["rtb-1"]
    }
    interface_endpoints = []
  }

  assert {
    condition     = length(aws_vpc.this) == 0 && length(aws_subnet.private) == 0 && length(aws_vpc_endpoint.interface) == 0
    error_message = "Something is made in spite of a VPC that there is."
  }

  assert {
    condition     = output.vpc_id == "vpc-1" && output.functions_vpc.subnet_ids == tolist(["subnet-a", "subnet-b"])
    error_message = "The VPC that there is is not used."
  }
}

run "refuses_one_zone" {
  command = plan

  variables {
    availability_zones = 1
    cidr               = "10.0.0.0/8"
  }

  expect_failures = [var.availability_zones, var.cidr]
}

run "refuses_endpoints_in_more_zones_than_there_are" {
  command = plan

  variables {
    endpoint_zones = 3
  }

  expect_failures = [var.endpoint_zones]
}
