variable "app" {
  description = "The application's name, as in headway.yaml."
  type        = string
}

variable "images" {
  description = "Names under images in headway.yaml."
  type        = list(string)
}

variable "region" {
  description = "The region."
  type        = string
}

variable "registry_prefix" {
  description = "What names of repositories begin with, slash included: that of HEADWAY_REGISTRY."
  type        = string
  default     = ""
}

variable "pulling_accounts" {
  description = "Accounts whose environments pull images from here."
  type        = set(string)
  default     = []
}

variable "evidence_bucket" {
  description = "Name of the bucket of the artifact store."
  type        = string
}

variable "evidence_lock_mode" {
  description = "GOVERNANCE or COMPLIANCE."
  type        = string
  default     = "GOVERNANCE"
}

variable "evidence_lock_days" {
  description = "How long what is written without a lock of its own is locked; 0: not at all."
  type        = number
  default     = 0
}

variable "force_destroy" {
  description = "Whether repositories may be destroyed with images in them."
  type        = bool
  default     = false
}

variable "owner" {
  description = "Who answers for it: a tag on everything."
  type        = string
}

variable "revision" {
  description = "Revision of this description: a tag on everything, when it is said."
  type        = string
  default     = ""
}

variable "expiry" {
  description = "Until when it is needed, like 2030-12-31: a tag on everything, when it is said."
  type        = string
  default     = ""
}

variable "aws_endpoint" {
  description = "Address of a local AWS; empty: AWS."
  type        = string
  default     = ""
}
