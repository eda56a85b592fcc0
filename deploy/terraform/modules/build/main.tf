locals {
  file = {
    function = "function.zip"
    archive  = "orderd.tar.gz"
  }[var.what]
  platform = { arm64 = "linux/arm64", x86_64 = "linux/amd64" }[var.architecture]
  given    = var.given != null
}

resource "terraform_data" "build" {
  count = local.given ? 0 : 1

  triggers_replace = [var.sources_hash, var.architecture]
  input            = "${var.directory}/${local.file}"

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-ec"]
    command     = <<-EOT
      docker version >/dev/null || {
        echo "Docker is needed to build $FILE; or build it elsewhere and name the file (see README.md)." >&2
        exit 1
      }
      docker build --platform "$PLATFORM" --file "$ROOT/deploy/docker/Dockerfile" --target "$TARGET" \
        --output "type=local,dest=$DIRECTORY" "$ROOT"
      test -s "$DIRECTORY/$FILE"
    EOT
    environment = {
      DIRECTORY = abspath(var.directory)
      FILE      = local.file
      PLATFORM  = local.platform
      ROOT      = abspath(var.root)
      TARGET    = var.what
    }
  }
}

# The sums are taken once it is built and kept in the state: a later plan, in a clone that never built it,
# needs no file.
resource "terraform_data" "sums" {
  count = local.given ? 0 : 1

  triggers_replace = [terraform_data.build[0].id]
  input = {
    sha256 = fileexists(terraform_data.build[0].output) ? filesha256(terraform_data.build[0].output) : ""
    base64 = fileexists(terraform_data.build[0].output) ? filebase64sha256(terraform_data.build[0].output) : ""
  }

  lifecycle {
    ignore_changes = [input]
  }
}
