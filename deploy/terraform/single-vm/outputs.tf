output "http_api_endpoint" {
  description = "Where the API is reached; README.md says how HTTPS is added."
  value       = "http://${aws_eip.this.public_ip}"
}

output "address" {
  description = "The address of the machine; it stays when the machine is replaced."
  value       = aws_eip.this.public_ip
}

output "try" {
  description = "Places an order; ask for it by GET with the order_id that comes back."
  value = join(" ", compact([
    "curl -X POST http://${aws_eip.this.public_ip}/orders",
    "-H 'Content-Type: application/json' -H 'Idempotency-Key: first'",
    var.anonymous == "write" ? "" : "-H \"Authorization: Bearer $ORDERD_TOKEN\"",
    "-d '{\"customer_id\": \"ada\", \"item_id\": \"pen\", \"quantity\": 1}'",
  ]))
}

output "make_a_token" {
  description = "Makes a token that may place orders, and shows it. Type it in a shell on the machine; orderd is away for a moment."
  value = join(" ", [
    "sudo systemctl stop orderd.socket orderd.service;",
    "sudo systemd-run --quiet --pipe --wait --property=DynamicUser=yes --property=User=orderd",
    "--property=StateDirectory=orderd --property=WorkingDirectory=/var/lib/orderd",
    "--property=EnvironmentFile=/etc/orderd/orderd.env /usr/local/bin/orderd token create --scope write;",
    "sudo systemctl start orderd.socket orderd.service",
  ])
}

output "log_in" {
  description = "Opens a shell on the machine."
  value = (
    var.ssh_cidr == null ? "aws ssm start-session --region ${local.region} --target ${aws_instance.this.id}" :
    "ssh ubuntu@${aws_eip.this.public_ip}"
  )
}

output "volume_id" {
  description = "The volume that holds orders."
  value       = aws_ebs_volume.data.id
}

output "dashboard_url" {
  description = "Its graphs and alarms."
  value       = module.observability.dashboard_url
}

output "alarm_topic_arn" {
  description = "Where alarms go."
  value       = module.observability.topic_arn
}
