#!/usr/bin/env bash
# Installs a real Home Assistant Core for the end-to-end tests into the cache
# folder, once, and prints the command that starts it with its arguments.
#
# Home Assistant wants a newer Python than most systems have. Where python3.14
# is there it is used; otherwise a small Debian with one is made by debootstrap
# and entered by chroot (needs root).
set -euo pipefail

version=${HOMEASSISTANT_VERSION:-2026.11.0}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/thingwarden-test
dir=$cache/homeassistant-$version
here=$(cd "$(dirname "$0")" && pwd)

say() { echo "install-homeassistant: $*" >&2; }

if [ -f "$dir/ready" ]; then
	cat "$dir/ready"
	exit 0
fi
mkdir -p "$dir"

if command -v python3.14 >/dev/null; then
	say "installing Home Assistant $version with the system's python3.14"
	python3.14 -m venv "$dir/venv"
	"$dir/venv/bin/pip" install --quiet --disable-pip-version-check wheel "homeassistant==$version"
	"$dir/venv/bin/python" "$here/requirements.py" > "$dir/requirements.txt"
	"$dir/venv/bin/pip" install --quiet --disable-pip-version-check -r "$dir/requirements.txt"
	echo "$dir/venv/bin/hass" > "$dir/ready"
	cat "$dir/ready"
	exit 0
fi

[ "$(id -u)" = 0 ] || { say "needs python3.14, or root for debootstrap"; exit 1; }
command -v debootstrap >/dev/null || { say "needs python3.14 or debootstrap"; exit 1; }
root=$dir/root
mirror=$(awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^https?:/) { print $i; exit } }
	$1 == "URIs:" { print $2; exit }' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1 || true)
if [ ! -f "$root/.debootstrapped" ]; then
	say "making a Debian root with a current Python (a few minutes, once)"
	rm -rf "$root"
	debootstrap --variant=minbase \
		--include=python3,python3-venv,python3-dev,ca-certificates,libturbojpeg0,libpcap0.8t64,build-essential,libffi-dev,libssl-dev,git,iproute2,tzdata \
		forky "$root" "${mirror:-http://deb.debian.org/debian}" sid > "$dir/debootstrap.log" 2>&1 ||
		{ tail -n 5 "$dir/debootstrap.log" >&2; exit 1; }
	touch "$root/.debootstrapped"
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"
mkdir -p "$root/usr/local/share/ca-certificates"
cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
[ -f /etc/pip.conf ] && cp /etc/pip.conf "$root/etc/pip.conf"
chroot "$root" update-ca-certificates > /dev/null 2>&1
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
mountpoint -q "$root/dev" || mount --bind /dev "$root/dev"
trap 'umount "$root/proc" "$root/dev" 2>/dev/null || true' EXIT
export PYTHONDONTWRITEBYTECODE=
pip="env -u PIP_FIND_LINKS chroot $root /srv/hass/bin/pip install --quiet --disable-pip-version-check"
say "installing Home Assistant $version"
chroot "$root" python3 -m venv /srv/hass
$pip wheel "homeassistant==$version"
cp "$here/requirements.py" "$root/srv/requirements.py"
chroot "$root" /srv/hass/bin/python /srv/requirements.py > "$root/srv/requirements.txt"
$pip -r /srv/requirements.txt
echo "chroot $root /srv/hass/bin/hass" > "$dir/ready"
cat "$dir/ready"
