#!/usr/bin/env bash
# Installs the client libraries that requirements.txt pins, from PyPI, into a cache
# folder outside the repository, and beside them the source of python-kasa for its
# recorded answers.
set -euo pipefail
cd "$(dirname "$0")"

hash=$(sha256sum requirements.txt | cut -c1-12)
dir="${XDG_CACHE_HOME:-$HOME/.cache}/thingwarden-test/clients-$hash"
[ ! -f "$dir/installed" ] || { echo "clients: $dir is there"; exit 0; }

# In a folder of its own first, so that a broken download is never taken for whole.
new="$dir.new.$$"
trap 'rm -rf "$new"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
python3 -m venv "$new"
"$new/bin/pip" install --quiet -r requirements.txt
"$new/bin/pip" download --quiet --no-deps --no-binary :all: --dest "$new/kasa" "$(grep ^python-kasa requirements.txt)"
tar -xzf "$new"/kasa/*.tar.gz -C "$new/kasa" --strip-components 1
touch "$new/installed"
rm -rf "$dir"
mv "$new" "$dir"
echo "clients: installed in $dir"
