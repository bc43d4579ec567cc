output "vpc_id" {
  description = "The network."
  value       = aws_vpc.main.id
}

output "cidr" {
  description = "Its addresses."
  value       = aws_vpc.main.cidr_block
}

output "public_subnets" {
  description = "Subnets for load balancers, one a zone."
  value       = [for subnet in aws_subnet.public : subnet.id]
}

output "private_subnets" {
  description = "Subnets for tasks and databases, one a zone."
  value       = [for subnet in aws_subnet.private : subnet.id]
}
