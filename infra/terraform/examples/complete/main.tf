# Every part at once, each with the settings that it cannot do without.
module "deployment" {
  source = "../../modules/deployment"

  name     = "mdm-complete"
  rules    = ["person", "organisation"]
  packages = var.packages

  authority = {
    policy              = file("${path.module}/authority.json")
    signing_keys_prefix = "mdm-complete/signing/"
  }

  files = {
    image         = var.images.files
    notice_emails = ["data-office@example.com"]
  }

  api = {
    authorizer = {
      jwt = {
        issuer   = "https://login.example.com/"
        audience = ["mdm-events"]
      }
    }
    throttle = { rate = 50, burst = 100 }
  }

  warehouse = {
    snowflake = {
      account   = "example-account"
      user      = "GOLDEN_WRITER"
      database  = "MDM"
      schema    = "GOLDEN"
      warehouse = "GOLDEN_LOAD"
    }
  }

  reconcile  = { domains = ["person", "organisation"] }
  compaction = { image = var.images.commands }
  snapshots  = { image = var.images.commands }

  captures = {
    crm = {
      image              = var.images.reader
      address            = var.database.address
      password_from      = var.database.password_from
      security_group_ids = var.database.security_group_ids
    }
  }

  alarms = {
    subscriptions = {
      on-call = { protocol = "email", endpoint = "on-call@example.com", severities = ["page"] }
      team    = { protocol = "email", endpoint = "team@example.com", severities = ["ticket"] }
    }
  }

  budget = {
    monthly_usd = 2000
    emails      = ["team@example.com"]
  }
}
