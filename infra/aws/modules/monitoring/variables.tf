variable "name" {
  description = "What everything is called."
  type        = string
}

variable "region" {
  description = "The region, for the dashboard."
  type        = string
}

variable "balancer" {
  description = "The load balancer, as metrics name it."
  type        = string
}

variable "target_groups" {
  description = "Name → target group, as metrics name it."
  type        = map(string)
}

variable "database" {
  description = "Identifier of a database instance, or none."
  type        = string
  default     = null
}

variable "emails" {
  description = "Who hears of alarms."
  type        = set(string)
  default     = []
}

variable "errors_per_minute" {
  description = "More answers with 5xx in a minute are an alarm."
  type        = number
  default     = 5
}

variable "slow_seconds" {
  description = "When the slowest 5 % take longer, it is an alarm."
  type        = number
  default     = 1
}

variable "kms_key" {
  description = "Key of the topic."
  type        = string
  default     = "alias/aws/sns"
}
