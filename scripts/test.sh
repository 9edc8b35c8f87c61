#!/bin/sh
# Runs every test of the workspace; the last line on standard output is "N passed, N failed".
set -u
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The exit code goes through a file: a pipe has only that of its last part.
{ cargo test --workspace --profile checked --no-fail-fast "$@" 2>&1; echo $? >"$log.code"; } | tee "$log"
code=$(cat "$log.code")
rm -f "$log.code"

set -- $(sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed;.*/\1 \2/p' "$log" |
    awk '{ passed += $1; failed += $2 } END { print passed + 0, failed + 0 }')
passed=$1
failed=$2
# What does not compile, or dies before it can report, has failed too.
if [ "$code" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
