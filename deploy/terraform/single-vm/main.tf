data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  root          = "${path.module}/../../.."
  partition     = data.aws_partition.current.partition
  region        = data.aws_region.current.name
  instance_type = coalesce(var.instance_type, { x86_64 = "t3.micro", arm64 = "t4g.micro" }[var.architecture])
  ami_id        = var.ami_id != null ? var.ami_id : one(data.aws_ssm_parameter.ubuntu[*].insecure_value)

  settings = merge(
    {
      ORDERD_ACCESS_ANONYMOUS = var.anonymous
      ORDERD_LOG_FORMAT       = "json"
    },
    # The archive's own settings say "simulated".
    { ORDERD_PAYMENTS_PROVIDER = var.simulated_payments ? "simulated" : "http" },
    var.payment_api_url == null ? {} : { PAYMENT_API_URL = var.payment_api_url },
    var.inventory_api_url == null ? {} : { INVENTORY_API_URL = var.inventory_api_url },
    var.settings,
  )
}

module "encryption" {
  source = "../modules/encryption"

  name = var.name
}

module "network" {
  source = "../modules/network"

  name               = var.name
  cidr               = var.vpc_cidr
  nat_gateways       = "none"
  flow_logs          = var.flow_logs
  log_retention_days = var.log_retention_days
  kms_key_arn        = module.encryption.key_arn
}

# ---- what is built

module "sources" {
  source = "../modules/sources"

  root = local.root
  also = ["deploy/nginx/**", "deploy/systemd/**"]
}

module "archive" {
  source = "../modules/build"

  what         = "archive"
  given        = var.archive
  root         = local.root
  directory    = "${path.module}/.build"
  sources_hash = module.sources.hash
  architecture = var.architecture
}

resource "aws_s3_bucket" "archive" {
  #checkov:skip=CKV_AWS_144:What it holds can be built again anywhere

  bucket_prefix = "${var.name}-archive-"
  force_destroy = true
}

resource "aws_s3_bucket_ownership_controls" "archive" {
  bucket = aws_s3_bucket.archive.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "archive" {
  bucket = aws_s3_bucket.archive.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "archive" {
  bucket = aws_s3_bucket.archive.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "archive" {
  bucket = aws_s3_bucket.archive.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = module.encryption.key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "archive" {
  bucket = aws_s3_bucket.archive.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.archive]
}

# Costs nothing, and lets rules of EventBridge see who puts what there.
resource "aws_s3_bucket_notification" "archive" {
  bucket      = aws_s3_bucket.archive.id
  eventbridge = true
}

resource "aws_s3_bucket_logging" "archive" {
  count = var.access_logs_bucket == null ? 0 : 1

  bucket        = aws_s3_bucket.archive.id
  target_bucket = var.access_logs_bucket
  target_prefix = "${var.name}-archive/"
}

resource "aws_s3_bucket_policy" "archive" {
  bucket = aws_s3_bucket.archive.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = ["s3:GetObject", "s3:PutObject"]
      Resource  = "${aws_s3_bucket.archive.arn}/*"
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.archive]
}

resource "aws_s3_object" "archive" {
  bucket = aws_s3_bucket.archive.id
  key    = "orderd-${module.archive.sha256}.tar.gz"
  source = module.archive.path

  depends_on = [
    aws_s3_bucket_ownership_controls.archive,
    aws_s3_bucket_server_side_encryption_configuration.archive,
    aws_s3_bucket_versioning.archive,
  ]

  lifecycle {
    # Its name says which file it is; where that is on whose disk does not matter.
    ignore_changes = [source]
  }
}

# ---- what the machine may

resource "aws_iam_role" "machine" {
  name = "${var.name}-machine"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "archive" {
  name = "fetch-the-archive"
  role = aws_iam_role.machine.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${aws_s3_bucket.archive.arn}/orderd-*"
      },
      {
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = module.encryption.key_arn
        Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
      },
    ]
  })
}

# What the Session Manager's agent calls, and none of the rest of its managed policy.
resource "aws_iam_role_policy" "session" {
  name = "session-manager"
  role = aws_iam_role.machine.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "ssm:UpdateInstanceInformation"
        Resource = "arn:${local.partition}:ec2:${local.region}:${data.aws_caller_identity.current.account_id}:instance/*"
      },
      {
        Effect = "Allow"
        Action = [
          "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel",
          "ssmmessages:OpenDataChannel",
        ]
        Resource  = "*" # AWS knows no narrower resource for them
        Condition = { StringEquals = { "aws:RequestedRegion" = local.region } }
      },
    ]
  })
}

resource "aws_iam_instance_profile" "machine" {
  name = "${var.name}-machine"
  role = aws_iam_role.machine.name
}

# ---- who reaches it

resource "aws_security_group" "machine" {
  name        = var.name
  description = "The machine of ${var.name}"
  vpc_id      = module.network.vpc_id

  tags = { Name = var.name }

  lifecycle {
    create_before_destroy = true
  }
}

# HTTP, too: certificates are asked for by it, and browsers are sent on to HTTPS.
resource "aws_vpc_security_group_ingress_rule" "web" {
  for_each = toset([for port in local.web_ports : tostring(port)])

  security_group_id = aws_security_group.machine.id
  description       = "Clients"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.key)
  to_port           = tonumber(each.key)
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  count = var.ssh_cidr == null ? 0 : 1

  security_group_id = aws_security_group.machine.id
  description       = "SSH"
  cidr_ipv4         = var.ssh_cidr
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
}

locals {
  web_ports = [80, 443]

  # Packages come by HTTP, signed; all else by HTTPS. Services outside may listen on ports of their own.
  egress_ports = distinct(concat([80, 443], [
    for url in compact([var.payment_api_url, var.inventory_api_url]) :
    try(tonumber(regex("^https?://[^/]*:([0-9]+)", url)[0]), startswith(url, "https:") ? 443 : 80)
  ]))
}

resource "aws_vpc_security_group_egress_rule" "machine" {
  for_each = toset([for port in local.egress_ports : tostring(port)])

  security_group_id = aws_security_group.machine.id
  description       = "Packages, AWS, and services outside"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.key)
  to_port           = tonumber(each.key)
}

# ---- the machine

data "aws_ssm_parameter" "ubuntu" {
  count = var.ami_id == null ? 1 : 0

  name = "/aws/service/canonical/ubuntu/server/24.04/stable/current/${
    { x86_64 = "amd64", arm64 = "arm64" }[var.architecture]
  }/hvm/ebs-gp3/ami-id"
}

resource "aws_key_pair" "this" {
  count = var.ssh_public_key == null ? 0 : 1

  key_name_prefix = "${var.name}-"
  public_key      = var.ssh_public_key
}

# Address and interface outlive the machine; and it has its address before its first boot needs it.
resource "aws_network_interface" "this" {
  subnet_id       = module.network.public_subnet_ids[0]
  security_groups = [aws_security_group.machine.id]

  tags = { Name = var.name }
}

resource "aws_eip" "this" {
  domain            = "vpc"
  network_interface = aws_network_interface.this.id

  tags = { Name = var.name }
}

resource "aws_ebs_volume" "data" {
  availability_zone = module.network.public_zones[0]
  type              = "gp3"
  size              = var.volume_gb
  encrypted         = true
  kms_key_id        = module.encryption.key_arn

  tags = { Name = "${var.name}-data" }
}

locals {
  cloud_init = templatefile("${path.module}/cloud-init.yaml.tftpl", {
    archive_url    = "https://${aws_s3_bucket.archive.bucket}.s3.${local.region}.amazonaws.com/${aws_s3_object.archive.key}"
    archive_sha256 = module.archive.sha256
    region         = local.region
    settings       = local.settings
    volume_id      = aws_ebs_volume.data.id
  })
}

resource "aws_instance" "this" {
  ami                  = local.ami_id
  instance_type        = local.instance_type
  key_name             = one(aws_key_pair.this[*].key_name)
  iam_instance_profile = aws_iam_instance_profile.machine.name
  ebs_optimized        = true
  monitoring           = var.detailed_monitoring

  # A new version is a new machine; what it keeps is on the volume.
  user_data_replace_on_change = true
  user_data_base64            = base64gzip(local.cloud_init)

  network_interface {
    device_index         = 0
    network_interface_id = aws_network_interface.this.id
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = 10
    encrypted   = true
    kms_key_id  = module.encryption.key_arn
  }

  tags = { Name = var.name }

  lifecycle {
    # A newer Ubuntu is for the next machine, not a reason for one.
    ignore_changes = [ami]

    # A machine says nowhere that it could not read this.
    precondition {
      condition     = can(yamldecode(local.cloud_init).runcmd[0])
      error_message = "What the machine is to do at its first boot is no YAML: see that no value in settings has a quote or a line break."
    }
  }

  depends_on = [aws_eip.this, aws_iam_role_policy.archive, aws_iam_role_policy.session]
}

resource "aws_volume_attachment" "data" {
  device_name                    = "/dev/sdf"
  volume_id                      = aws_ebs_volume.data.id
  instance_id                    = aws_instance.this.id
  stop_instance_before_detaching = true
}

# ---- backups

resource "aws_iam_role" "backup" {
  name = "${var.name}-backup"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "backup.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "backup" {
  role       = aws_iam_role.backup.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"
}

resource "aws_backup_vault" "this" {
  name          = var.name
  kms_key_arn   = module.encryption.key_arn
  force_destroy = true
}

resource "aws_backup_plan" "this" {
  name = var.name

  rule {
    rule_name         = "daily"
    target_vault_name = aws_backup_vault.this.name
    schedule          = "cron(0 5 * * ? *)"

    lifecycle {
      delete_after = var.backup_days
    }
  }
}

resource "aws_backup_selection" "this" {
  name         = "volume"
  plan_id      = aws_backup_plan.this.id
  iam_role_arn = aws_iam_role.backup.arn
  resources    = [aws_ebs_volume.data.arn]
}

# ---- operation

module "observability" {
  source = "../modules/observability"

  name        = var.name
  email       = var.alarm_email
  machine     = { id = aws_instance.this.id }
  kms_key_arn = module.encryption.key_arn
}
