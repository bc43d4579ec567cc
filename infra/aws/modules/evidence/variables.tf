variable "bucket" {
  description = "Name of the bucket."
  type        = string
}

variable "prefix" {
  description = "What HEADWAY_STORE names behind the bucket: s3://BUCKET/PREFIX."
  type        = string
  default     = "headway"
}

variable "lock_mode" {
  description = "GOVERNANCE: who has the permission removes it earlier. COMPLIANCE: nobody does."
  type        = string
  default     = "GOVERNANCE"
  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.lock_mode)
    error_message = "GOVERNANCE or COMPLIANCE."
  }
}

variable "lock_days" {
  description = "How long objects are locked that are written without a lock of their own; 0: not at all."
  type        = number
  default     = 0
}

variable "run_days" {
  description = "After how many days what single runs left goes."
  type        = number
  default     = 365
}

variable "kms_key" {
  description = "Key that objects are encrypted with; none: the one that S3 has in this account."
  type        = string
  default     = null
}
