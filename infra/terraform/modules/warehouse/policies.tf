# What reading the stream needs is in the policy of module event_source.
data "aws_iam_policy_document" "this" {
  statement {
    sid       = "ReadClaims"
    actions   = ["s3:GetObject"]
    resources = ["${var.archive.arn}/${var.archive.prefix}/claims/*"]
  }

  # Without it S3 answers that an object is forbidden where it is absent.
  statement {
    sid       = "ListClaims"
    actions   = ["s3:ListBucket"]
    resources = [var.archive.arn]
  }

  statement {
    sid       = "ReadPrivateKey"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.private_key.arn]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt"]
    resources = [var.kms_key_arn]
  }
}
