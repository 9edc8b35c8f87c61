#!/bin/sh
# Formats all sources, those of tables too: a macro declares their modules, so cargo fmt does not find them.
#
# usage: fmt.sh [--check]
set -eu
cd "$(dirname "$0")/.."

cargo fmt --all "$@"
rustfmt --edition 2024 "$@" medallion/src/tables/*.rs
