data "aws_availability_zones" "available" {
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  region     = data.aws_region.current.name
  account_id = data.aws_caller_identity.current.account_id
  made       = var.existing == null ? { vpc = var.cidr } : {}
  zones      = var.existing == null ? slice(data.aws_availability_zones.available.names, 0, var.availability_zones) : []

  vpc_id             = var.existing == null ? aws_vpc.this["vpc"].id : var.existing.vpc_id
  private_subnet_ids = var.existing == null ? [for zone in local.zones : aws_subnet.private[zone].id] : var.existing.private_subnet_ids
  route_table_ids    = var.existing == null ? [aws_route_table.private["vpc"].id] : var.existing.route_table_ids
}

resource "aws_vpc" "this" {
  for_each = local.made

  cidr_block           = each.value
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

# Whatever names no security group has this one, which lets nothing in or out.
resource "aws_default_security_group" "this" {
  for_each = local.made

  vpc_id = aws_vpc.this[each.key].id

  tags = { Name = "${var.name}-default-unused" }
}

resource "aws_subnet" "private" {
  for_each = { for place, zone in local.zones : zone => place }

  vpc_id            = local.vpc_id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, 3, each.value)

  tags = { Name = "${var.name}-private-${each.key}" }
}

# No route leads out: what the functions ask for is reached through endpoints.
resource "aws_route_table" "private" {
  for_each = local.made

  vpc_id = aws_vpc.this[each.key].id

  tags = { Name = "${var.name}-private" }
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private["vpc"].id
}
