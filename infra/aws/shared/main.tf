# What all environments of an application share, applied before anything is published: images and evidence.

module "registry" {
  source           = "../modules/registry"
  repositories     = toset([for image in concat(var.images, ["release"]) : "${var.registry_prefix}${var.app}/${image}"])
  pulling_accounts = var.pulling_accounts
  force_delete     = var.force_destroy
}

module "evidence" {
  source    = "../modules/evidence"
  bucket    = var.evidence_bucket
  lock_mode = var.evidence_lock_mode
  lock_days = var.evidence_lock_days
}
