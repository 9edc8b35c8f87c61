#!/bin/sh
# Fetches jars into .cache; quick where they are there already.
#
# usage: jars.sh [kafka|flink]     Apache Kafka, which the integration tests run, or Apache Flink, for `make compare`
set -eu
cd "$(dirname "$0")/.."
name=${1:-kafka}
case $name in
kafka) pom=test-support/kafka/pom.xml ;;
flink) pom=benches/peers/flink/pom.xml ;;
*) echo "$name: must be kafka or flink" >&2; exit 2 ;;
esac
jars=.cache/$name
fresh=$jars.fresh

if cmp -s "$pom" "$jars/pom.xml"; then exit 0; fi
command -v mvn >/dev/null || { echo "mvn is missing: run \`make setup\`" >&2; exit 1; }

mkdir -p .cache
# Several test processes may start at once: the first fetches, the others wait for it.
exec 9>"$jars.lock"
flock 9
if cmp -s "$pom" "$jars/pom.xml"; then exit 0; fi

echo "fetching the jars of $name" >&2
rm -rf "$fresh"
mvn --quiet --batch-mode --file "$pom" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$PWD/$fresh" >&2
cp "$pom" "$fresh/pom.xml"
# Whole or not at all: an interrupted download leaves nothing behind that looks complete.
rm -rf "$jars"
mv "$fresh" "$jars"
