# The image of every command: worker, migration, maintenance, generator.
#
#   docker build -t localhost/streamflow:0.1.0 .
#   docker build --target sbom --output out .       # out/streamflow.spdx.json, the same file that the image carries
#
# To get the same binary twice, fix what goes in: --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct), and the two base
# images by digest (RUST_IMAGE, DEBIAN_IMAGE).
ARG RUST_IMAGE=rust:1.95.0-bookworm
ARG DEBIAN_IMAGE=debian:12.13-slim

FROM ${RUST_IMAGE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ make perl pkg-config libssl-dev zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# C sources that print their build date take it from here.
ARG SOURCE_DATE_EPOCH=0
# The paths of this container do not get into the binary. Said with --config, because RUSTFLAGS would replace the processor
# flags of .cargo/config.toml, to which these are added.
ARG CARGO_CONFIG='target."cfg(unix)".rustflags=["--remap-path-prefix=/src=streamflow","--remap-path-prefix=/usr/local/cargo/registry/src=crates"]'
# OpenSSL is linked dynamically (libssl-dev here, libssl3 below), so that its updates are Debian's. The cache mounts are gone when
# the step ends: what is kept is copied to /out.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    export SOURCE_DATE_EPOCH \
 && cargo build --release --locked --config "$CARGO_CONFIG" \
 && mkdir /out \
 && objcopy --strip-debug target/release/streamflow /out/streamflow \
 && cargo tree --locked --edges normal,no-proc-macro --prefix none --format '{p}|{l}' > /out/crates.txt

FROM ${DEBIAN_IMAGE} AS runtime
# The base is fixed; what Debian has mended since is in the upgrade.
RUN apt-get update \
 && apt-get upgrade -y \
 && apt-get install -y --no-install-recommends ca-certificates libssl3 zlib1g \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/* /var/cache/ldconfig/aux-cache

FROM runtime AS inventory
ARG VERSION=0.1.0
ARG SOURCE_DATE_EPOCH=0
COPY --from=build /out/crates.txt /src/Cargo.lock /inventory/
COPY scripts/manifests/sbom.sh /inventory/
RUN dpkg-query --show --showformat '${Package} ${Version} ${Architecture}\n' > /inventory/packages.txt \
 && sh /inventory/sbom.sh "$VERSION" "$SOURCE_DATE_EPOCH" /inventory > /streamflow.spdx.json

FROM scratch AS sbom
COPY --from=inventory /streamflow.spdx.json /

FROM runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="streamflow" \
      org.opencontainers.image.description="Real-time fraud detection and an exact medallion in PostgreSQL" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY LICENSE /usr/share/doc/streamflow/
COPY --from=inventory /streamflow.spdx.json /usr/share/doc/streamflow/
COPY --from=build /out/streamflow /usr/local/bin/
# A number, not a name: Kubernetes can only then tell that it is not root. Nothing is written to the file system, and nothing
# calls a shell.
USER 65532:65532
# The workers' own traffic; metrics, health and status.
EXPOSE 2101 9464
ENTRYPOINT ["/usr/local/bin/streamflow"]
CMD ["--help"]
