variable "name" {
  description = "What everything is called: at most 16 letters, digits and dashes."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", var.name))
    error_message = "Two to 16 lower-case letters, digits and dashes: names of load balancers are short."
  }
}

variable "region" {
  description = "The region, for the logs."
  type        = string
}

variable "deployer" {
  description = "Who moves traffic: ecs (blue-green of ECS itself) or codedeploy."
  type        = string
  default     = "ecs"
  validation {
    condition     = contains(["ecs", "codedeploy"], var.deployer)
    error_message = "ecs or codedeploy."
  }
}

variable "services" {
  description = "Services by name. `image` runs before the first release. Without `port` no load balancer knows it. `secrets` are ARNs, as valueFrom takes them."
  type = map(object({
    port          = optional(number)
    image         = string
    cpu           = optional(number, 256)
    memory        = optional(number, 512)
    most          = optional(number, 4)
    paths         = optional(list(string), ["/*"])
    priority      = optional(number, 100)
    health_path   = optional(string, "/")
    health_codes  = optional(string, "200")
    grace_seconds = optional(number, 30)
    env           = optional(map(string), {})
    secrets       = optional(map(string), {})
  }))
  validation {
    condition     = alltrue([for one in values(var.services) : contains([256, 512, 1024, 2048, 4096, 8192, 16384], one.cpu)])
    error_message = "cpu is 256, 512, 1024, 2048, 4096, 8192 or 16384: Fargate has no other."
  }
  validation {
    condition     = length(distinct([for one in values(var.services) : one.priority if one.port != null])) == length([for one in values(var.services) : 1 if one.port != null])
    error_message = "Each service with a port needs a priority of its own."
  }
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "balancer_subnets" {
  description = "Subnets of the load balancer, in two zones at least."
  type        = list(string)
}

variable "task_subnets" {
  description = "Subnets of tasks."
  type        = list(string)
}

variable "task_security_groups" {
  description = "More security groups of tasks, like the one that a database lets in."
  type        = list(string)
  default     = []
}

variable "public_tasks" {
  description = "Whether tasks have public addresses: only in subnets without a gateway."
  type        = bool
  default     = false
}

variable "internal" {
  description = "Whether the load balancer is reached from the network alone."
  type        = bool
  default     = false
}

variable "users" {
  description = "Networks whose users are let in."
  type        = set(string)
  default     = ["0.0.0.0/0"]
}

variable "testers" {
  description = "Networks that checks come from, of the test listener and of each task."
  type        = set(string)
  default     = []
}

variable "test_port" {
  description = "Port of the test listener."
  type        = number
  default     = 8443
}

variable "certificate" {
  description = "ARN of an ACM certificate; none: HTTP alone."
  type        = string
  default     = null
}

variable "access_logs_bucket" {
  description = "Bucket for the load balancer's logs, or none."
  type        = string
  default     = null
}

variable "protected" {
  description = "Whether the load balancer is protected from being destroyed."
  type        = bool
  default     = true
}

variable "drain_seconds" {
  description = "How long a task that is taken out may end its requests."
  type        = number
  default     = 30
}

variable "ready_wait_minutes" {
  description = "CodeDeploy: how long a release waits for its traffic before it is given up."
  type        = number
  default     = 60
}

variable "termination_wait_minutes" {
  description = "CodeDeploy: how long what was replaced stands: longer than the watch and one recovery."
  type        = number
  default     = 60
}

variable "alarms" {
  description = "Names of alarms that stop a deployment of CodeDeploy."
  type        = list(string)
  default     = []
}

variable "cpu_percent" {
  description = "Average use of CPU that autoscaling aims at."
  type        = number
  default     = 60
}

variable "secrets" {
  description = "ARNs of the secrets that tasks may be given."
  type        = list(string)
  default     = []
}

variable "task_policies" {
  description = "Name → policy as JSON: what the application may do on AWS."
  type        = map(string)
  default     = {}
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
