#!/bin/sh
# Builds the image from the Dockerfile without Docker: `make image`. Where no registry can be reached, the two base images are made
# here: Debian from its packages, and the compiler of this machine on top of it, mounted and not copied.
#
# usage: build.sh [NAME]        (localhost/streamflow:0.1.0)
set -eu
cd "$(dirname "$0")/../.."
. scripts/image/engine.sh
name=${1:-localhost/streamflow:0.1.0}
debian=$(sed -n 's/^ARG DEBIAN_IMAGE=/docker.io\/library\//p' Dockerfile)
rust=$(sed -n 's/^ARG RUST_IMAGE=/docker.io\/library\//p' Dockerfile)

has() { builder inspect --type image "$1" >/dev/null 2>&1; }
pulled() { [ -z "${STREAMFLOW_IMAGE_OFFLINE:-}" ] && timeout 60 buildah --root "$work/storage" --runroot "$work/run" \
    --storage-driver overlay pull --quiet "$1" >/dev/null 2>&1; }

set --
if ! has "$debian" && ! pulled "$debian"; then
    needs mmdebstrap
    # Without manuals and translations, as the slim image is.
    [ -f "$work/debian.tar" ] || mmdebstrap --quiet --variant=minbase --mode=root \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*' bookworm "$work/debian.tar"
    printf 'FROM scratch\nADD debian.tar /\nCMD ["bash"]\n' >"$work/debian.Dockerfile"
    builder bud --quiet --isolation chroot --tag "$debian" --file "$work/debian.Dockerfile" "$work" >/dev/null
fi
if ! has "$rust" && ! pulled "$rust"; then
    # The authorities that this machine trusts, for cargo.
    cp /etc/ssl/certs/ca-certificates.crt "$work/"
    printf '%s\n' "FROM $debian" \
        'RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev ca-certificates' \
        'COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt' \
        'ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
        >"$work/rust.Dockerfile"
    builder bud --quiet --isolation chroot --pull-never --tag "$rust" --file "$work/rust.Dockerfile" "$work" >/dev/null
    touch "$work/stand-in"
fi
if [ -e "$work/stand-in" ]; then
    cargo=$(dirname "$(command -v cargo)")
    set -- --volume "${RUSTUP_HOME:-$HOME/.rustup}:/usr/local/rustup:ro" --volume "$cargo:/usr/local/cargo/bin:ro" \
        --volume /etc/ssl/certs:/etc/ssl/certs:ro
fi

begun=$(date +%s)
builder bud --isolation chroot --pull-never --layers --tag "$name" \
    --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
    --build-arg "SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 0)" "$@" .
bytes=$(engine image inspect --format '{{.Size}}' "$name")
echo "$name: $((bytes / 1000000)) MB, built in $(($(date +%s) - begun)) s"
