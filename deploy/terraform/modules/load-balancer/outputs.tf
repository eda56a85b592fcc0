output "endpoint" {
  description = "Where it is reached."
  value       = "${local.https ? "https" : "http"}://${aws_lb.this.dns_name}"
}

output "arn_suffix" {
  description = "What CloudWatch calls it."
  value       = aws_lb.this.arn_suffix
}

output "target_group_arn" {
  description = "Who is in it answers."
  value       = aws_lb_target_group.this.arn

  # A service can only be in it once a listener uses it.
  depends_on = [aws_lb_listener.http, aws_lb_listener.https]
}

output "requests_label" {
  description = "What auto scaling calls the requests that one target gets."
  value       = "${aws_lb.this.arn_suffix}/${aws_lb_target_group.this.arn_suffix}"
}

output "security_group_id" {
  description = "What the tasks are reached from."
  value       = aws_security_group.this.id
}
