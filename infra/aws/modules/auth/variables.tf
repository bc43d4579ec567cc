variable "name" {
  description = "What pool and client are called."
  type        = string
}

variable "kind" {
  description = "cognito, or auth0: a tenant that exists."
  type        = string
  default     = "cognito"
  validation {
    condition     = contains(["cognito", "auth0"], var.kind)
    error_message = "cognito or auth0."
  }
}

variable "region" {
  description = "The region, for the issuer."
  type        = string
}

variable "domain" {
  description = "Cognito: first part of the sign-in page's host name, which nobody else has. Auth0: the tenant's host."
  type        = string
}

variable "audience" {
  description = "Auth0: client or API that tokens are for; of Cognito it is the client that is made."
  type        = string
  default     = null
  validation {
    condition     = var.kind == "cognito" || var.audience != null
    error_message = "Auth0 needs an audience."
  }
}

variable "callbacks" {
  description = "Where users come back to after signing in."
  type        = list(string)
  default     = ["https://localhost/callback"]
}

variable "logouts" {
  description = "Where users come back to after signing out."
  type        = list(string)
  default     = ["https://localhost/"]
}

variable "protected" {
  description = "Whether the pool is protected from being destroyed with its users."
  type        = bool
  default     = true
}

variable "endpoint" {
  description = "Address of a local AWS; empty: AWS."
  type        = string
  default     = ""
}
