variable "attachments" {
  description = "Name of the bucket of what users upload."
  type        = string
}

variable "audit" {
  description = "Name of the bucket of logs that nobody changes."
  type        = string
}

variable "origins" {
  description = "Addresses of pages whose browsers upload directly."
  type        = list(string)
  default     = []
}

variable "audit_days" {
  description = "How long earlier versions of logs are kept."
  type        = number
  default     = 365
}

variable "earlier_version_days" {
  description = "How long what was overwritten or removed can be had back."
  type        = number
  default     = 90
}

variable "force_destroy" {
  description = "Whether what users uploaded may be destroyed with its bucket."
  type        = bool
  default     = false
}

variable "kms_key" {
  description = "Key that attachments are encrypted with; none: the one that S3 has in this account."
  type        = string
  default     = null
}
