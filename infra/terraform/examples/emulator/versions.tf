terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6"
    }
  }
}

# The address of the emulator is AWS_ENDPOINT_URL, as for every program of the AWS SDKs.
provider "aws" {
  region            = var.region
  s3_use_path_style = true

  default_tags {
    tags = {
      Project    = "mdm-stream"
      Deployment = var.name
      ManagedBy  = "terraform"
    }
  }
}
