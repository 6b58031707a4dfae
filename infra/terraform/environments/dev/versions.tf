terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6"
    }
  }

  # The bucket and its region come from backend.hcl; see README.md. S3 itself holds the lock.
  backend "s3" {
    key          = "mdm-stream/dev.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = var.account_id == null ? null : [var.account_id]

  default_tags {
    tags = {
      Project    = "mdm-stream"
      Deployment = var.name
      ManagedBy  = "terraform"
    }
  }
}
