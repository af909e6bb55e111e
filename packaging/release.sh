#!/usr/bin/env bash
# Builds the files of a release into a folder: a program for each platform, the
# example configuration, the service of systemd, the licences of what is in the
# programs, what is new, and the checksums of all. The version is the newest of
# CHANGELOG.md. With a tag, everything that names a version must agree with it. The
# same commit and Go give the same bytes, wherever built.
#
#   packaging/release.sh [--tag v1.2.3] [FOLDER]     default: dist
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "release: $*" >&2; exit 1; }

tag=""
if [ "${1:-}" = --tag ]; then
	tag=${2:?the tag is missing}
	shift 2
fi
dist=${1:-dist}

heading=$(grep -m1 '^## \[[0-9]' CHANGELOG.md)
version=$(sed 's/^## \[\(.*\)\].*/\1/' <<<"$heading")
if [ -n "$tag" ]; then
	[ "$tag" = "v$version" ] || fail "tag \"$tag\" is not \"v$version\", the newest version in CHANGELOG.md"
	for log in CHANGELOG.md ha-addon/*/CHANGELOG.md; do
		grep -q "^## \[$version\] - 20[0-9-]*$" "$log" || fail "$log: the heading of $version has no date"
	done
	for app in ha-addon/*/config.yaml; do
		grep -q "^version: \"$version\"$" "$app" || fail "$app: version is not \"$version\""
	done
	[ -z "$(git status --porcelain)" ] || fail "the tree has changes that are not committed"
fi

[ ! -e "$dist" ] || [ -e "$dist/SHA256SUMS" ] || fail "\"$dist\" is not a folder of an earlier release"
rm -rf "$dist"
mkdir -p "$dist"
dist=$(cd "$dist" && pwd)

for target in linux/amd64 linux/arm64 linux/arm/7 darwin/amd64 darwin/arm64 windows/amd64; do
	IFS=/ read -r os arch arm <<<"$target"
	name=thingwarden-$os-$arch${arm:+v$arm}
	[ "$os" != windows ] || name=$name.exe
	echo "$name"
	GOOS=$os GOARCH=$arch GOARM=$arm make --no-print-directory --silent build VERSION="$version" OUT="$dist/$name"
done

go run ./packaging/notices > "$dist/THIRD_PARTY_NOTICES"
cp LICENSE config.example.yaml packaging/systemd/thingwarden.service "$dist/"
# What is new in this version: from its heading to the next.
awk -v heading="$heading" '$0 == heading { on = 1; next } on && /^## \[/ { exit } on' CHANGELOG.md > "$dist/RELEASE_NOTES.md"
(cd "$dist" && sha256sum LICENSE THIRD_PARTY_NOTICES config.example.yaml thingwarden-* thingwarden.service > SHA256SUMS)
echo "version $version in $dist"
