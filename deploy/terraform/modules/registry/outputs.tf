output "image" {
  description = "The image, once it is there."
  value       = local.built ? terraform_data.image[0].output : var.image
}

output "is_ecr" {
  description = "Whether pulling it needs rights."
  value       = local.built || length(local.given_ecr) > 0
}

output "repository_arn" {
  description = "The repository that it is pulled from, where that is one of AWS."
  value = local.built ? aws_ecr_repository.this.arn : (
    length(local.given_ecr) == 0 ? null :
    "arn:${data.aws_partition.current.partition}:ecr:${local.given_ecr[0][1]}:${local.given_ecr[0][0]}:repository/${local.given_ecr[0][2]}"
  )
}

output "repository_url" {
  description = "Where images can be pushed."
  value       = aws_ecr_repository.this.repository_url
}
