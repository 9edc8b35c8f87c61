#!/bin/sh
# Writes the SPDX 2.3 document of the image: the crates that are linked into the binary and the Debian packages beside it.
#
# usage: sbom.sh VERSION SECONDS_SINCE_1970 DIRECTORY
# The directory holds crates.txt (`name vVERSION|LICENSE` a line, from cargo tree), Cargo.lock (for the crates' checksums) and
# packages.txt (`name version architecture` a line, from dpkg-query). Equal input gives equal bytes.
set -eu
version=$1
created=$(date -u -d "@$2" +%Y-%m-%dT%H:%M:%SZ)
directory=$3

# A document's name must be unique: it is that of its content.
content=$(cat "$directory/crates.txt" "$directory/packages.txt" "$directory/Cargo.lock" | sha256sum | cut -c1-32)

{
    # name|version|checksum, then a marker, then name|version|license, each once
    awk -F' = ' '
        { gsub(/"/, "", $2) }
        $1 == "name" { name = $2 }
        $1 == "version" { version = $2 }
        $1 == "checksum" { print "lock|" name "|" version "|" $2 }
    ' "$directory/Cargo.lock"
    sed -E 's/ \(\*\)$//; s/ \([^|]*\)\|/|/' "$directory/crates.txt" | grep -v '^$' | sort -u |
        sed -E 's/^([^ ]+) v([^|]+)\|/crate|\1|\2|/'
    sort -u "$directory/packages.txt" | awk '{ print "package|" $1 "|" $2 "|" $3 }'
} | awk -F'|' -v version="$version" -v created="$created" -v content="$content" '
    function quoted(text) { gsub(/\\/, "\\\\", text); gsub(/"/, "\\\"", text); return "\"" text "\"" }
    # A purl is a URL: what versions may hold beyond letters is escaped.
    function escaped(text) { gsub(/\+/, "%2B", text); gsub(/:/, "%3A", text); return text }
    function identifier(text) { gsub(/[^A-Za-z0-9.-]/, "-", text); return "SPDXRef-" text }
    function begin(id, name, at, license) {
        printf "%s    {\"SPDXID\": %s, \"name\": %s, \"versionInfo\": %s, \"downloadLocation\": \"NOASSERTION\",\n", \
            separator, quoted(id), quoted(name), quoted(at)
        printf "     \"filesAnalyzed\": false, \"copyrightText\": \"NOASSERTION\", \"licenseConcluded\": \"NOASSERTION\",\n"
        printf "     \"licenseDeclared\": %s", quoted(license)
        separator = ",\n"
        ids[++count] = id
    }
    function purl(text) {
        printf ",\n     \"externalRefs\": [{\"referenceCategory\": \"PACKAGE-MANAGER\", \"referenceType\": \"purl\", \"referenceLocator\": %s}]}", \
            quoted(text)
    }
    BEGIN {
        printf "{\"spdxVersion\": \"SPDX-2.3\", \"dataLicense\": \"CC0-1.0\", \"SPDXID\": \"SPDXRef-DOCUMENT\",\n"
        printf " \"name\": %s,\n", quoted("streamflow-" version)
        printf " \"documentNamespace\": %s,\n", quoted("https://streamflow.invalid/sbom/" version "/" content)
        printf " \"creationInfo\": {\"created\": %s, \"creators\": [\"Tool: sbom.sh\"]},\n", quoted(created)
        printf " \"packages\": [\n"
        begin("SPDXRef-image", "streamflow", version, "MIT")
        printf "}"
    }
    $1 == "lock" { checksum[$2 " " $3] = $4; next }
    $1 == "crate" {
        # The old way to write it; SPDX knows only OR.
        gsub(/\//, " OR ", $4)
        begin(identifier("crate-" $2 "-" $3), $2, $3, $4 == "" ? "NOASSERTION" : $4)
        if (($2 " " $3) in checksum)
            printf ",\n     \"checksums\": [{\"algorithm\": \"SHA256\", \"checksumValue\": %s}]", quoted(checksum[$2 " " $3])
        purl("pkg:cargo/" $2 "@" escaped($3))
        next
    }
    {
        begin(identifier("debian-" $2 "-" $3), $2, $3, "NOASSERTION")
        purl("pkg:deb/debian/" escaped($2) "@" escaped($3) "?arch=" $4)
    }
    END {
        printf "\n ],\n \"relationships\": [\n"
        printf "    {\"spdxElementId\": \"SPDXRef-DOCUMENT\", \"relationshipType\": \"DESCRIBES\", \"relatedSpdxElement\": \"SPDXRef-image\"}"
        for (i = 2; i <= count; i++)
            printf ",\n    {\"spdxElementId\": \"SPDXRef-image\", \"relationshipType\": \"CONTAINS\", \"relatedSpdxElement\": %s}", \
                quoted(ids[i])
        printf "\n ]}\n"
    }
'
