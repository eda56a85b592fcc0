output "path" {
  description = "The file."
  value       = local.given ? var.given : terraform_data.build[0].output
}

output "sha256" {
  description = "Its SHA-256, in hexadecimal digits."
  value       = local.given ? filesha256(var.given) : terraform_data.sums[0].output.sha256
}

output "base64sha256" {
  description = "Its SHA-256, in base64."
  value       = local.given ? filebase64sha256(var.given) : terraform_data.sums[0].output.base64
}
