#!/bin/sh
# Makes a mirror of the Terraform providers that infra/ uses, out of their sources: for machines that reach no provider registry.
#
# usage: mirror.sh DIRECTORY NAME=VERSION=CHECKOUT...
#   scripts/manifests/mirror.sh ~/providers kubernetes=3.2.1=../terraform-provider-kubernetes \
#       random=3.9.0=../terraform-provider-random helm=3.1.2=../terraform-provider-helm
#   TF_CLI_CONFIG_FILE=~/providers/terraformrc scripts/manifests/check.sh
#
# CHECKOUT is the provider's repository at that version's tag; Go fetches the modules that it needs.
set -eu
[ $# -ge 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
mirror=$(cd "$1" && pwd)
shift
platform=$(go env GOOS)_$(go env GOARCH)
for provider; do
    name=${provider%%=*}
    rest=${provider#*=}
    version=${rest%%=*}
    place=$mirror/registry.terraform.io/hashicorp/$name/$version/$platform
    mkdir -p "$place"
    (cd "${rest#*=}" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$place/terraform-provider-${name}_v$version" .)
    echo "$name $version"
done
printf 'provider_installation {\n  filesystem_mirror { path = "%s" }\n}\ndisable_checkpoint = true\n' "$mirror" >"$mirror/terraformrc"
