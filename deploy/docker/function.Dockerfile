# syntax=docker/dockerfile:1
# The function of AWS Lambda, zipped for the runtime provided.al2023; it leaves dist/function.zip:
#   docker build -f deploy/docker/function.Dockerfile --output dist .

# As in Dockerfile: what the dependencies follow from, and nothing that changes more often.
FROM docker.io/library/rust:1.95-bookworm AS manifests
WORKDIR /src
COPY . .
RUN rm -rf deploy config.default.toml \
    && find crates xtask -type f ! -name Cargo.toml ! -path '*/src/main.rs' ! -path '*/src/lib.rs' -delete \
    && find crates xtask -name lib.rs -exec truncate --size=0 {} + \
    && echo 'fn main() {}' >/main.rs \
    && find crates xtask -name main.rs -exec cp /main.rs {} \;

FROM docker.io/library/rust:1.95-bookworm AS build
ARG PROFILE=dist
WORKDIR /src
COPY --from=manifests /src ./
RUN cargo build --locked --profile "$PROFILE" --package lambda
COPY . .
RUN find crates -name '*.rs' -exec touch {} + \
    && cargo build --locked --profile "$PROFILE" --package lambda \
    && install -D target/*/bootstrap /function/bootstrap \
    && strip /function/bootstrap
WORKDIR /function
RUN python3 -m zipfile --create /function.zip bootstrap

FROM scratch
COPY --from=build /function.zip /
