#!/usr/bin/env bash
# Installs the real Zigbee2MQTT and Z-Wave JS, in the versions that
# package-lock.json pins, into a cache folder outside the repository.
set -euo pipefail
cd "$(dirname "$0")"

command -v npm >/dev/null || { echo "npm is not installed (Debian: apt-get install nodejs npm)" >&2; exit 1; }
hash=$(sha256sum package-lock.json | cut -c1-12)
dir="${XDG_CACHE_HOME:-$HOME/.cache}/thingwarden-test/bridges-$hash"
[ ! -f "$dir/installed" ] || { echo "bridges: $dir is there"; exit 0; }

# In a folder of its own first, so that a broken download is never taken for whole.
new="$dir.new.$$"
trap 'rm -rf "$new"' EXIT
mkdir -p "$new"
cp package.json package-lock.json "$new"
# None of the packages needs its install script: native parts come ready-made and are not used.
(cd "$new" && npm ci --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error)
touch "$new/installed"
rm -rf "$dir"
mv "$new" "$dir"
echo "bridges: installed in $dir"
