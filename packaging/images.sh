#!/usr/bin/env bash
# Builds both container images for all their platforms and pushes them: that of
# Docker users, and that of the apps of Home Assistant, which is found by its
# version alone. Writes the digests as "name digest" to the standard output.
#
#   packaging/images.sh REGISTRY VERSION      such as ghcr.io/thingwarden 1.2.3
set -euo pipefail
cd "$(dirname "$0")/.."

registry=${1:?the registry is missing} version=${2:?the version is missing}
about=$(mktemp)
trap 'rm -f "$about"' EXIT

push() { # name, target, platforms, tags
	local name=$registry/$1 tags=() tag
	for tag in $4; do tags+=(--tag "$name:$tag"); done
	# Provenance is attested by the workflow, for the image as a whole.
	docker buildx build --push --provenance=false --metadata-file "$about" \
		--target "$2" --platform "$3" --build-arg VERSION="$version" "${tags[@]}" . >&2
	echo "$1 $(sed -n 's/.*"containerimage.digest": *"\(sha256:[0-9a-f]*\)".*/\1/p' "$about")"
}

latest=latest
[[ $version != *-* ]] || latest="" # such as 1.2.3-rc.1: only for those who name it
push app app linux/amd64,linux/arm64 "$version"
push thingwarden agent linux/amd64,linux/arm64,linux/arm/v7 "$version $latest"
