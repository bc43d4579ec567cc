locals {
  # A local AWS keeps the keys at its own address; what stands in tokens is AWS's.
  keys   = var.endpoint == "" ? local.issuer : "${var.endpoint}/${join("", aws_cognito_user_pool.main[*].id)}"
  issuer = local.cognito ? "https://${aws_cognito_user_pool.main[0].endpoint}" : "https://${var.domain}/"
}

output "issuer" {
  description = "Whose tokens count: what stands in iss."
  value       = local.issuer
}

output "audience" {
  description = "Whom tokens are for: what stands in aud."
  value       = local.cognito ? aws_cognito_user_pool_client.main[0].id : var.audience
}

output "jwks" {
  description = "Where the keys are that tokens are signed with."
  value       = local.cognito ? "${local.keys}/.well-known/jwks.json" : "${local.issuer}.well-known/jwks.json"
}
