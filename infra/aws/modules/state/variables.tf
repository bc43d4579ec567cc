variable "bucket" {
  description = "Name of the bucket."
  type        = string
}

variable "kms_key" {
  description = "Key that states are encrypted with; none: the one that S3 has in this account."
  type        = string
  default     = null
}

variable "lock_table" {
  description = "Name of a DynamoDB table for locks; none: the lock is a file in the bucket (use_lockfile)."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether the bucket may be destroyed with states in it."
  type        = bool
  default     = false
}
