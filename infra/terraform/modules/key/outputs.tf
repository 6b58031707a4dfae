output "arn" {
  description = "ARN of the key, the kms_key_arn of all other modules."
  value       = aws_kms_key.this.arn
}

output "alias" {
  description = "Alias of the key."
  value       = aws_kms_alias.this.name
}
