data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  built = var.image == null
  # An image that is given may be in a registry of AWS, too; who pulls it needs the right to.
  given_ecr = var.image == null ? [] : regexall(
    "^([0-9]{12})\\.dkr\\.ecr\\.([a-z0-9-]+)\\.amazonaws\\.com(?:\\.cn)?/([^:@]+)", var.image
  )
  platform = { arm64 = "linux/arm64", x86_64 = "linux/amd64" }[var.architecture]
  uri      = local.built ? "${aws_ecr_repository.this.repository_url}:${var.tag}-${var.architecture}" : var.image
}

# There also where an image is given: it may be one of those that are pushed here.
resource "aws_ecr_repository" "this" {
  name                 = var.name
  image_tag_mutability = "IMMUTABLE"
  force_delete         = true

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.kms_key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Enough to go back to, and no more."
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 20 }
      action       = { type = "expire" }
    }]
  })
}

resource "terraform_data" "image" {
  count = local.built ? 1 : 0

  triggers_replace = [local.uri]
  input            = local.uri

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-ec"]
    command     = <<-EOT
      # A tag cannot be pushed twice; an earlier apply may have come this far.
      if aws ecr describe-images --region "$REGION" --repository-name "$NAME" --image-ids imageTag="$TAG" \
        >/dev/null 2>&1; then
        exit 0
      fi
      docker version >/dev/null || {
        echo "Docker is needed to build the image; or build it elsewhere and name it: image = \"...\"." >&2
        exit 1
      }
      docker build --platform "$PLATFORM" --provenance=false --file "$ROOT/deploy/docker/Dockerfile" \
        --tag "$IMAGE" "$ROOT"
      aws ecr get-login-password --region "$REGION" |
        docker login --username AWS --password-stdin "$${IMAGE%%/*}"
      docker push "$IMAGE"
    EOT
    environment = {
      IMAGE    = local.uri
      NAME     = aws_ecr_repository.this.name
      PLATFORM = local.platform
      REGION   = data.aws_region.current.name
      ROOT     = abspath(var.root)
      TAG      = "${var.tag}-${var.architecture}"
    }
  }
}
