variable "name" {
  description = "What plan and vaults are called."
  type        = string
}

variable "resources" {
  description = "ARNs of what is backed up."
  type        = list(string)
}

variable "schedule" {
  description = "When, in UTC."
  type        = string
  default     = "cron(0 4 * * ? *)"
}

variable "keep_days" {
  description = "How long backups are kept."
  type        = number
  default     = 35
}

variable "copy_keep_days" {
  description = "How long copies in the second region are kept."
  type        = number
  default     = 35
}

variable "restore_schedule" {
  description = "When AWS itself tries to restore one, in UTC; none: never."
  type        = string
  default     = "cron(0 6 ? * SUN *)"
}

variable "lock" {
  description = "Whether nobody shortens how long backups are kept (governance mode)."
  type        = bool
  default     = true
}

variable "kms_key" {
  description = "Key of the vault; none: the one that AWS Backup has in this account."
  type        = string
  default     = null
}

variable "copy_kms_key" {
  description = "Key of the vault in the second region."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether vaults may be destroyed with backups in them."
  type        = bool
  default     = false
}
