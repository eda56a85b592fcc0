output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Its address range."
  value       = aws_vpc.this.cidr_block
}

output "public_subnet_ids" {
  description = "Subnets with a route from the Internet, one for each zone."
  value       = aws_subnet.public[*].id

  # Whoever is put there needs the way out from the beginning.
  depends_on = [aws_route.internet, aws_route_table_association.public]
}

output "private_subnet_ids" {
  description = "Subnets without one."
  value       = aws_subnet.private[*].id

  depends_on = [aws_route.nat, aws_route_table_association.private, aws_vpc_endpoint.gateway]
}

output "public_zones" {
  description = "The zones of the public subnets, in their order."
  value       = aws_subnet.public[*].availability_zone
}
