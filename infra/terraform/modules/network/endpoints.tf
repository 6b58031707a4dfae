# What is asked through the endpoints is asked by roles of this account, whatever else they may.
data "aws_iam_policy_document" "endpoint" {
  statement {
    # star: the roles' own policies say what; this says whose roles
    actions = ["*"]
    # star: the roles' own policies say on what
    resources = ["*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalAccount"
      values   = [local.account_id]
    }
  }
}

# Layers of images lie in a bucket of ECR, and are read by addresses that ECR has signed: not as this account.
data "aws_iam_policy_document" "s3" {
  source_policy_documents = [data.aws_iam_policy_document.endpoint.json]

  statement {
    sid     = "ImageLayers"
    actions = ["s3:GetObject"]
    # star: layers are named by digests, and nothing but images is in this bucket of AWS
    resources = ["arn:${data.aws_partition.current.partition}:s3:::prod-${local.region}-starport-layer-bucket/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceVpc"
      values   = [local.vpc_id]
    }
  }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.interface_endpoints

  vpc_id              = local.vpc_id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = slice(local.private_subnet_ids, 0, var.endpoint_zones)
  security_group_ids  = [aws_security_group.endpoints.id]
  policy              = data.aws_iam_policy_document.endpoint.json

  tags = { Name = "${var.name}-${each.key}" }
}

# DynamoDB has the leases of the KCL. Gateways cost nothing.
resource "aws_vpc_endpoint" "gateway" {
  for_each = {
    dynamodb = data.aws_iam_policy_document.endpoint.json
    s3       = data.aws_iam_policy_document.s3.json
  }

  vpc_id            = local.vpc_id
  service_name      = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = local.route_table_ids
  policy            = each.value

  tags = { Name = "${var.name}-${each.key}" }
}
