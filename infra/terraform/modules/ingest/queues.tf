# What S3 says of dropped files.
module "drops" {
  source = "../queue"

  name                 = "${var.name}-files-drops"
  kms_key_arn          = var.kms_key_arn
  visibility_timeout_s = local.timeouts_of_visibility * var.gatekeeper.timeout_s
  senders              = [{ service = "s3.amazonaws.com", source_arn = var.drop.arn }]
}

# Steps of loads, which the functions send to themselves.
module "chunks" {
  source = "../queue"

  name                 = "${var.name}-files-chunks"
  kms_key_arn          = var.kms_key_arn
  visibility_timeout_s = local.timeouts_of_visibility * var.worker.timeout_s
}

resource "aws_s3_bucket_notification" "drop" {
  bucket = var.drop.name

  queue {
    id        = "drops"
    queue_arn = module.drops.arn
    events    = ["s3:ObjectCreated:*"]
  }
}
