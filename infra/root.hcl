# What all units have in common: versions, and where their state is.

terragrunt_version_constraint = ">= 1.0, < 2.0"
terraform_version_constraint  = ">= 1.11"

locals {
  # With a bucket the state is shared and locked; without one it is in infra/.state, which is enough for one person.
  bucket  = get_env("STREAMFLOW_STATE_BUCKET", "")
  backend = local.bucket == "" ? "local" : "s3"
}

remote_state {
  backend = local.backend
  generate = {
    path      = "backend.tf"
    if_exists = "overwrite"
  }
  config = {
    local = {
      path = "${get_parent_terragrunt_dir()}/.state/${path_relative_to_include()}/terraform.tfstate"
    }
    s3 = {
      bucket       = local.bucket
      key          = "${path_relative_to_include()}/terraform.tfstate"
      region       = get_env("AWS_REGION", "us-east-1")
      encrypt      = true
      use_lockfile = true
    }
  }[local.backend]
}
