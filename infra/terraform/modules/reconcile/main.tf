locals {
  name       = "${var.name}-reconcile"
  log_prefix = "/aws-glue/jobs/${local.name}"
  wheels_key = "${var.package_bucket.prefix}/${filesha256(var.package.wheels)}/mdm-stream.gluewheels.zip"
  script_key = "${var.package_bucket.prefix}/${filesha256(var.package.script)}/reconcile.py"

  # An argument --NAME is the setting MDM_NAME. Those of lineage are the warehouse consumer's alone.
  settings = merge(
    var.deployment,
    var.warehouse == null ? {} : {
      for name, value in var.warehouse.environment : name => value if startswith(name, "MDM_WAREHOUSE_")
    },
    {
      MDM_METRICS_NAMESPACE = var.name
      MDM_RULES             = join(",", var.rules)
      MDM_WORKSPACE         = "s3://${var.workspace.name}/${var.workspace.prefix}"
      MDM_SETTLE_S          = tostring(var.settle_s)
    },
    { for name, value in var.job : "MDM_${upper(name)}" => tostring(value) if value != "" },
  )

  security_group_ids = concat(var.vpc.security_group_ids, [aws_security_group.workers.id])

  arguments = merge(
    { for name, value in local.settings : "--${trimprefix(name, "MDM_")}" => value },
    {
      "--additional-python-modules"       = "s3://${var.package_bucket.name}/${aws_s3_object.wheels.key}"
      "--python-modules-installer-option" = "--no-index"
      "--enable-auto-scaling"             = "true"
      "--job-bookmark-option"             = "job-bookmark-disable"
      "--custom-logGroup-prefix"          = local.log_prefix
      "--TempDir"                         = "s3://${var.workspace.name}/${var.workspace.prefix}/glue-temporary/"
    },
  )
}

# The digest in the key lets a run that is under way keep what it began with.
resource "aws_s3_object" "wheels" {
  bucket      = var.package_bucket.name
  key         = local.wheels_key
  source      = var.package.wheels
  source_hash = filesha256(var.package.wheels)
  kms_key_id  = var.kms_key_arn
}

resource "aws_s3_object" "script" {
  bucket      = var.package_bucket.name
  key         = local.script_key
  source      = var.package.script
  source_hash = filesha256(var.package.script)
  kms_key_id  = var.kms_key_arn
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(["error", "output"])

  name              = "${local.log_prefix}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_glue_security_configuration" "this" {
  name = local.name

  encryption_configuration {
    cloudwatch_encryption {
      cloudwatch_encryption_mode = "SSE-KMS"
      kms_key_arn                = var.kms_key_arn
    }

    job_bookmarks_encryption {
      job_bookmarks_encryption_mode = "CSE-KMS"
      kms_key_arn                   = var.kms_key_arn
    }

    s3_encryption {
      s3_encryption_mode = "SSE-KMS"
      kms_key_arn        = var.kms_key_arn
    }
  }
}

data "aws_subnet" "this" {
  id = var.vpc.subnet_ids[0]
}

# The job's machines talk to each other on any port, which Glue asks for, and to nothing else by this group.
resource "aws_security_group" "workers" {
  name        = local.name
  description = "Machines of the reconciliation among themselves"
  vpc_id      = data.aws_subnet.this.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "workers" {
  security_group_id            = aws_security_group.workers.id
  description                  = "Machines of the job"
  referenced_security_group_id = aws_security_group.workers.id
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
}

resource "aws_vpc_security_group_egress_rule" "workers" {
  security_group_id            = aws_security_group.workers.id
  description                  = "Machines of the job"
  referenced_security_group_id = aws_security_group.workers.id
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
}

resource "aws_glue_connection" "this" {
  name            = local.name
  description     = "Network from which the reconciliation of mdm-stream reaches the cache"
  connection_type = "NETWORK"

  physical_connection_requirements {
    availability_zone      = data.aws_subnet.this.availability_zone
    subnet_id              = data.aws_subnet.this.id
    security_group_id_list = local.security_group_ids
  }
}

resource "aws_glue_job" "this" {
  name              = local.name
  description       = "Recomputes what is live from the archive, and compares"
  role_arn          = aws_iam_role.this.arn
  glue_version      = "5.0"
  execution_class   = "STANDARD"
  worker_type       = var.workers.type
  number_of_workers = var.workers.count
  timeout           = var.timeout_min
  max_retries       = 0
  connections       = [aws_glue_connection.this.name]
  default_arguments = local.arguments

  security_configuration = aws_glue_security_configuration.this.name

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${var.package_bucket.name}/${aws_s3_object.script.key}"
  }

  # Two runs would share a workspace.
  execution_property {
    max_concurrent_runs = 1
  }

  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.glue, aws_iam_role_policy.own]
}

resource "aws_glue_trigger" "this" {
  name              = local.name
  description       = "Starts the reconciliation"
  type              = "SCHEDULED"
  schedule          = var.schedule
  start_on_creation = true

  actions {
    job_name               = aws_glue_job.this.name
    timeout                = var.timeout_min
    security_configuration = aws_glue_security_configuration.this.name
  }
}
