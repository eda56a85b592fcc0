data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  issuer    = "token.actions.githubusercontent.com"
  provider  = var.provider_arn != null ? var.provider_arn : aws_iam_openid_connect_provider.github[0].arn

  subjects = {
    deploy = [for subject in var.deploy_from : "repo:${var.repository}:${subject}"]
    push   = [for subject in var.push_from : "repo:${var.repository}:${subject}"]
    # GitHub calls every pull request that, and gives those of forks no token.
    plan = ["repo:${var.repository}:pull_request"]
  }

  trust = {
    for role, subjects in local.subjects : role => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = local.provider }
        # Exact words, no pattern: another branch or a fork is another subject.
        Condition = {
          StringEquals = {
            "${local.issuer}:aud" = "sts.amazonaws.com"
            "${local.issuer}:sub" = subjects
          }
        }
      }]
    })
  }

  push = [
    {
      Effect = "Allow"
      Action = [
        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
        "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
      ]
      Resource = "arn:${local.partition}:ecr:${data.aws_region.current.name}:${local.account}:repository/${var.repository_name}"
    },
    {
      # AWS knows no narrower resource for it.
      Effect   = "Allow"
      Action   = "ecr:GetAuthorizationToken"
      Resource = "*"
    },
  ]
}

# An account has one for all its repositories: name it where it is there already.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.provider_arn == null ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "deploy" {
  name               = "${var.name}-github-deploy"
  assume_role_policy = local.trust.deploy
}

resource "aws_iam_role_policy" "deploy" {
  name   = "push"
  role   = aws_iam_role.deploy.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.push })
}

resource "aws_iam_role_policy_attachment" "deploy" {
  for_each = toset(var.deploy_policy_arns)

  role       = aws_iam_role.deploy.name
  policy_arn = each.key
}

resource "aws_iam_role" "push" {
  name               = "${var.name}-github-push"
  assume_role_policy = local.trust.push
}

resource "aws_iam_role_policy" "push" {
  name   = "push"
  role   = aws_iam_role.push.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.push })
}

resource "aws_iam_role" "plan" {
  count = length(var.plan_policy_arns) == 0 ? 0 : 1

  name               = "${var.name}-github-plan"
  assume_role_policy = local.trust.plan
}

resource "aws_iam_role_policy_attachment" "plan" {
  for_each = toset(var.plan_policy_arns)

  role       = aws_iam_role.plan[0].name
  policy_arn = each.key
}
