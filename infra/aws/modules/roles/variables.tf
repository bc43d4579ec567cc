variable "name" {
  description = "What roles begin with."
  type        = string
}

variable "region" {
  description = "The region of everything."
  type        = string
}

variable "trusted" {
  description = "ARNs of whom may assume the roles: where Headway runs."
  type        = list(string)
}

variable "external_id" {
  description = "What whoever assumes a role has to know, or none."
  type        = string
  default     = null
}

variable "cluster" {
  description = "Name of the cluster, which load balancer, log group and CodeDeploy's application share."
  type        = string
}

variable "repository_prefix" {
  description = "What names of image repositories begin with."
  type        = string
}

variable "passed_roles" {
  description = "Roles that tasks and services may be given."
  type        = list(string)
}

variable "hooks" {
  description = "ARNs of queues on which hooks of CodeDeploy are told."
  type        = list(string)
  default     = []
}

variable "artifacts" {
  description = "ARN of the bucket that files of tasks go through."
  type        = string
}

variable "vaults" {
  description = "Names of the vaults of backups, here and in the second region."
  type        = list(string)
  default     = []
}

variable "backup_role" {
  description = "Name of the role that AWS Backup works as, or none."
  type        = string
  default     = null
}

variable "copy_region" {
  description = "The region that backups are copied into, or none."
  type        = string
  default     = null
}

variable "second_cluster" {
  description = "Name of the cluster whose tasks read restored databases there, or none."
  type        = string
  default     = null
}

variable "second_roles" {
  description = "Roles that tasks there may be given."
  type        = list(string)
  default     = []
}
