variable "name" {
  description = "What everything there is called."
  type        = string
}

variable "region" {
  description = "The second region."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network there: a /16."
  type        = string
  default     = "10.1.0.0/16"
}

variable "family" {
  description = "Family of the parameter group: that of the database's version, like postgres16."
  type        = string
}
