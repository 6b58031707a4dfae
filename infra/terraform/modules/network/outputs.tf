output "vpc_id" {
  description = "Id of the VPC."
  value       = local.vpc_id
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, one in each availability zone."
  value       = local.private_subnet_ids
}

output "route_table_ids" {
  description = "Ids of the private subnets' route tables, to which a way out may be added."
  value       = local.route_table_ids
}

output "function_security_group_id" {
  description = "Id of the security group of functions, containers and jobs, which reaches the index and AWS and nothing else."
  value       = aws_security_group.functions.id
}

output "index_security_group_id" {
  description = "Id of the cache's security group."
  value       = aws_security_group.index.id
}

output "endpoints_security_group_id" {
  description = "Id of the security group of the interface endpoints."
  value       = aws_security_group.endpoints.id
}

output "functions_vpc" {
  description = "Subnets and security group as the vpc of a function takes them."
  value = {
    subnet_ids         = local.private_subnet_ids
    security_group_ids = [aws_security_group.functions.id]
  }
}
