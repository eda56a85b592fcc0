output "hash" {
  description = "Changes with what is built."
  value       = local.hash
}

output "tag" {
  description = "The same, short enough for a name."
  value       = substr(local.hash, 0, 16)
}
