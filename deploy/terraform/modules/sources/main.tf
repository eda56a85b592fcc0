locals {
  files = sort(flatten([for pattern in concat([
    "crates/**", "Cargo.toml", "Cargo.lock", "config.default.toml", "deploy/docker/**",
  ], var.also) : tolist(fileset(var.root, pattern))]))

  hash = sha256(join("\n", [for file in local.files : "${file} ${filesha256("${var.root}/${file}")}"]))
}
