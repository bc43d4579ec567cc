variable "name" {
  description = "What everything is called."
  type        = string
}

variable "region" {
  description = "The region, for the names of endpoints."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network: a /16, of which each subnet is a /24."
  type        = string
  default     = "10.0.0.0/16"
  validation {
    condition     = can(cidrsubnet(var.cidr, 8, 255)) && endswith(var.cidr, "/16")
    error_message = "A /16, like 10.0.0.0/16."
  }
}

variable "zones" {
  description = "In how many zones there are subnets; a load balancer needs two."
  type        = number
  default     = 2
  validation {
    condition     = var.zones >= 2 && var.zones <= 6
    error_message = "From 2 to 6."
  }
}

variable "nat" {
  description = "How private subnets reach the internet: none, one gateway for all zones, or one for each."
  type        = string
  default     = "one"
  validation {
    condition     = contains(["none", "one", "each"], var.nat)
    error_message = "none, one or each."
  }
}
