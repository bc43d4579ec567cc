variable "app" {
  description = "The application's name, as in headway.yaml."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}

variable "copy_region" {
  description = "The region that backups are copied into."
  type        = string
}

variable "second_region" {
  description = "Whether there is what a copied backup is restored with and read in there: a network, a cluster, no instance."
  type        = bool
  default     = false
}

variable "services" {
  description = "Services, as the module service takes them."
  type        = any
}

variable "deployer" {
  description = "Who moves traffic: ecs or codedeploy."
  type        = string
  default     = "ecs"
}

variable "database" {
  description = "The database, as the module database takes it."
  type = object({
    kind        = optional(string, "instance")
    version     = optional(string, "16")
    class       = optional(string, "db.t4g.small")
    multi_az    = optional(bool, false)
    backup_days = optional(number, 14)
    insights    = optional(bool, true)
  })
  default = {}
}

variable "auth" {
  description = "Who signs users in; none: nobody."
  type = object({
    kind      = string
    domain    = optional(string)
    audience  = optional(string)
    callbacks = optional(list(string), ["https://localhost/callback"])
    logouts   = optional(list(string), ["https://localhost/"])
  })
  default = null
}

variable "cidr" {
  description = "Addresses of the network: a /16."
  type        = string
  default     = "10.0.0.0/16"
}

variable "nat" {
  description = "How tasks reach the internet: none (they have public addresses), one gateway, or one for each zone."
  type        = string
  default     = "one"
}

variable "certificate" {
  description = "ARN of an ACM certificate; none: HTTP alone."
  type        = string
  default     = null
}

variable "access_logs" {
  description = "Whether the load balancer writes its logs into the audit bucket."
  type        = bool
  default     = true
}

variable "testers" {
  description = "Networks that checks before the switch come from."
  type        = set(string)
  default     = []
}

variable "test_port" {
  description = "Port of the test listener."
  type        = number
  default     = 8443
}

variable "origins" {
  description = "Addresses of pages whose browsers upload directly."
  type        = list(string)
  default     = []
}

variable "bucket_prefix" {
  description = "What names of buckets begin with: they are unique in the world."
  type        = string
}

variable "registry_prefix" {
  description = "What names of repositories begin with, slash included: that of HEADWAY_REGISTRY."
  type        = string
  default     = ""
}

variable "artifacts" {
  description = "ARN of the bucket of the artifact store, from the shared stack."
  type        = string
}

variable "secrets" {
  description = "ARNs of the secrets that tasks may be given, beside those that Headway makes."
  type        = list(string)
  default     = []
}

variable "trusted" {
  description = "ARNs of whom may assume the roles of phases: where Headway runs."
  type        = list(string)
}

variable "external_id" {
  description = "What whoever assumes a role has to know, or none."
  type        = string
  default     = null
}

variable "emails" {
  description = "Who hears of alarms."
  type        = set(string)
  default     = []
}

variable "stop_on_alarms" {
  description = "Whether alarms stop a release."
  type        = bool
  default     = true
}

variable "ready_wait_minutes" {
  description = "CodeDeploy: how long a release waits for its traffic before it is given up."
  type        = number
  default     = 60
}

variable "termination_wait_minutes" {
  description = "CodeDeploy: how long what was replaced stands."
  type        = number
  default     = 60
}

variable "protected" {
  description = "Whether what holds data is protected from being destroyed, and backups are locked."
  type        = bool
  default     = true
}

variable "final_snapshot" {
  description = "Whether a snapshot of the database is taken before it is destroyed."
  type        = bool
  default     = true
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
