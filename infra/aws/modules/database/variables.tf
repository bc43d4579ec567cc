variable "name" {
  description = "What the database is called."
  type        = string
}

variable "kind" {
  description = "instance (RDS for PostgreSQL) or aurora (Aurora Serverless v2)."
  type        = string
  default     = "instance"
  validation {
    condition     = contains(["instance", "aurora"], var.kind)
    error_message = "instance or aurora."
  }
}

variable "engine_version" {
  description = "Version of PostgreSQL: its major number for an instance, 16.6 or the like for Aurora."
  type        = string
  default     = "16"
}

variable "database" {
  description = "Name of the database in it."
  type        = string
  default     = "app"
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnets" {
  description = "Private subnets, in two zones at least."
  type        = list(string)
}

variable "class" {
  description = "Class of an instance."
  type        = string
  default     = "db.t4g.small"
}

variable "storage_gb" {
  description = "Storage of an instance at first."
  type        = number
  default     = 20
}

variable "most_storage_gb" {
  description = "Up to how much it grows by itself."
  type        = number
  default     = 200
}

variable "least_capacity" {
  description = "Aurora: least capacity units; 0 lets it pause."
  type        = number
  default     = 0.5
}

variable "most_capacity" {
  description = "Aurora: most capacity units."
  type        = number
  default     = 8
}

variable "multi_az" {
  description = "Whether a second one stands by in another zone."
  type        = bool
  default     = false
}

variable "backup_days" {
  description = "To any second of how many days it can be restored."
  type        = number
  default     = 14
  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "From 1 to 35: without automated backups there is no point in time to go back to."
  }
}

variable "final_snapshot" {
  description = "Whether a snapshot is taken before it is destroyed."
  type        = bool
  default     = true
}

variable "protected" {
  description = "Whether it is protected from being destroyed."
  type        = bool
  default     = true
}

variable "insights" {
  description = "Whether Performance Insights is on."
  type        = bool
  default     = true
}

variable "slow_statement_ms" {
  description = "Statements that take longer are logged."
  type        = number
  default     = 1000
}

variable "kms_key" {
  description = "Key that data and password are encrypted with; none: those that RDS and Secrets Manager have in this account."
  type        = string
  default     = null
}
