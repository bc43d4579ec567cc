variable "repositories" {
  description = "Names of the repositories, as Headway names them: PREFIX/APP/IMAGE, and PREFIX/APP/release."
  type        = set(string)
}

variable "pulling_accounts" {
  description = "Accounts that may pull, by their numbers."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for account in var.pulling_accounts : can(regex("^[0-9]{12}$", account))])
    error_message = "Twelve digits each."
  }
}

variable "kms_key" {
  description = "Key that images are encrypted with; none: AES-256 of ECR's own."
  type        = string
  default     = null
}

variable "untagged_days" {
  description = "After how many days images without a tag go."
  type        = number
  default     = 14
}

variable "force_delete" {
  description = "Whether repositories with images in them may be destroyed."
  type        = bool
  default     = false
}
