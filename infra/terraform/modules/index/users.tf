module "rights" {
  source = "../index_rights"

  namespace = var.namespace
}

# The user logs in by IAM, so there is no password: not in the state, not in settings, and none to replace. IAM asks
# that id and name are the same.
resource "aws_elasticache_user" "this" {
  user_id       = local.id
  user_name     = local.id
  engine        = "valkey"
  access_string = module.rights.access_string

  authentication_mode {
    type = "iam"
  }
}

# A group of Valkey needs no user `default`: so no connection goes without a name.
resource "aws_elasticache_user_group" "this" {
  user_group_id = local.id
  engine        = "valkey"
  user_ids      = [aws_elasticache_user.this.user_id]
}
