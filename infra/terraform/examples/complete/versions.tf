terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project    = "mdm-stream"
      Deployment = "mdm-complete"
      ManagedBy  = "terraform"
    }
  }
}
