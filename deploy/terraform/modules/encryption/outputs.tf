output "key_arn" {
  description = "The key."
  value       = aws_kms_key.this.arn
}

output "policy" {
  description = "What whoever reads and writes through DynamoDB and SNS needs of the key, as JSON."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Action = [
        "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
      ]
      Resource = aws_kms_key.this.arn
      Condition = {
        StringEquals = {
          "kms:ViaService" = [for service in ["dynamodb", "sns"] : "${service}.${local.region}.amazonaws.com"]
        }
      }
    }]
  })
}
