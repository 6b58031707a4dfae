locals {
  redis_port = 6379
  https_port = 443
}

# Functions, containers and jobs: they call, and nothing calls them.
resource "aws_security_group" "functions" {
  name        = "${var.name}-functions"
  description = "Functions, containers and jobs that reach the index and AWS"
  vpc_id      = local.vpc_id

  tags = { Name = "${var.name}-functions" }
}

resource "aws_security_group" "index" {
  name        = "${var.name}-index"
  description = "The cache that holds the index"
  vpc_id      = local.vpc_id

  tags = { Name = "${var.name}-index" }
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "Interface endpoints of AWS services"
  vpc_id      = local.vpc_id

  tags = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_egress_rule" "functions_to_index" {
  security_group_id            = aws_security_group.functions.id
  description                  = "The index"
  referenced_security_group_id = aws_security_group.index.id
  ip_protocol                  = "tcp"
  from_port                    = local.redis_port
  to_port                      = local.redis_port
}

resource "aws_vpc_security_group_egress_rule" "functions_to_endpoints" {
  security_group_id            = aws_security_group.functions.id
  description                  = "AWS services through interface endpoints"
  referenced_security_group_id = aws_security_group.endpoints.id
  ip_protocol                  = "tcp"
  from_port                    = local.https_port
  to_port                      = local.https_port
}

resource "aws_vpc_security_group_egress_rule" "functions_to_gateways" {
  for_each = aws_vpc_endpoint.gateway

  security_group_id = aws_security_group.functions.id
  description       = "${each.key} through its gateway"
  prefix_list_id    = each.value.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = local.https_port
  to_port           = local.https_port
}

resource "aws_vpc_security_group_ingress_rule" "index_from_functions" {
  security_group_id            = aws_security_group.index.id
  description                  = "Functions, containers and jobs"
  referenced_security_group_id = aws_security_group.functions.id
  ip_protocol                  = "tcp"
  from_port                    = local.redis_port
  to_port                      = local.redis_port
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_from_functions" {
  security_group_id            = aws_security_group.endpoints.id
  description                  = "Functions, containers and jobs"
  referenced_security_group_id = aws_security_group.functions.id
  ip_protocol                  = "tcp"
  from_port                    = local.https_port
  to_port                      = local.https_port
}
