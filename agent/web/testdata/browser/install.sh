#!/usr/bin/env bash
# Installs playwright-core and axe-core, in the versions that package-lock.json
# pins, into a cache folder outside the repository. The browser is Debian's Chromium.
set -euo pipefail
cd "$(dirname "$0")"

hash=$(sha256sum package-lock.json | cut -c1-12)
dir="${XDG_CACHE_HOME:-$HOME/.cache}/thingwarden-test/browser-$hash"
[ ! -f "$dir/installed" ] || { echo "browser: $dir is there"; exit 0; }

# In a folder of its own first, so that a broken download is never taken for whole.
new="$dir.new.$$"
trap 'rm -rf "$new"' EXIT
mkdir -p "$new"
cp package.json package-lock.json "$new"
(cd "$new" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
touch "$new/installed"
rm -rf "$dir"
mv "$new" "$dir"
echo "browser: installed in $dir"
