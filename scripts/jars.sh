#!/bin/sh
# Fetches Apache Kafka's jars, which the integration tests run, into .cache/kafka; quick where they are there already.
set -eu
cd "$(dirname "$0")/.."
pom=test-support/kafka/pom.xml
jars=.cache/kafka

if cmp -s "$pom" "$jars/pom.xml"; then exit 0; fi
command -v mvn >/dev/null || { echo "mvn is missing: run \`make setup\`" >&2; exit 1; }

mkdir -p .cache
fresh=$(mktemp -d "$PWD/.cache/kafka.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
echo "fetching Apache Kafka for the integration tests" >&2
mvn --quiet --batch-mode --file "$pom" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$fresh" >&2
cp "$pom" "$fresh/pom.xml"
chmod 755 "$fresh"
# Whole or not at all: an interrupted download leaves nothing behind that looks complete.
rm -rf "$jars"
mv "$fresh" "$jars"
