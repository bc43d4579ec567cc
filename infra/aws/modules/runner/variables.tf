variable "name" {
  description = "What everything is called."
  type        = string
}

variable "region" {
  description = "The region, for the logs."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "image" {
  description = "Image with Headway in it."
  type        = string
}

variable "engine" {
  description = "Docker engine for builds and test cells, as DOCKER_HOST names it: ssh://deploy@host."
  type        = string
}

variable "store" {
  description = "What HEADWAY_STORE is set to."
  type        = string
}

variable "artifacts" {
  description = "ARN of that bucket."
  type        = string
}

variable "prefect_api" {
  description = "Address of the Prefect server."
  type        = string
}

variable "prefect_key" {
  description = "ARN of the secret with its key."
  type        = string
}

variable "phase_roles" {
  description = "ARNs of the roles of all phases, in every account."
  type        = list(string)
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 90
}

variable "kms_key" {
  description = "Key that logs are encrypted with; none: the one of CloudWatch Logs."
  type        = string
  default     = null
}
