#!/usr/bin/env bash
# Installs a real Home Assistant Core for the end-to-end tests, once, and prints
# the command that starts it. It can be interrupted and started again.
#
# Home Assistant wants a newer Python than most systems have. Where python3.14
# is there it is used, in the user's cache folder. Otherwise a small Debian with
# one is made by debootstrap in /var/cache, which needs root; ordinary users can
# then enter it in a user namespace.
set -euo pipefail

version=${HOMEASSISTANT_VERSION:-2026.11.0}
here=$(cd "$(dirname "$0")" && pwd)
name=thingwarden-test/homeassistant-$version
shared=/var/cache/$name
mine=${XDG_CACHE_HOME:-$HOME/.cache}/$name

say() { echo "install-homeassistant: $*" >&2; }

# What is installed depends on this file too.
wanted=$(sha256sum <"$here/requirements.py")
for dir in "$mine" "$shared"; do
	if [ -f "$dir/ready" ] && [ "$(cat "$dir/wanted" 2>/dev/null)" = "$wanted" ]; then
		cat "$dir/ready"
		exit 0
	fi
done

# The mirror or proxy may have a bad minute.
try() {
	local n
	for n in 1 2 3; do
		"$@" && return
		say "failed (try $n of 3): $1 ${*: -1}"
		sleep $((n * 10))
	done
	return 1
}

# Folders named there are not in the Debian that we enter, and nothing in them
# is for this Python.
unset PIP_FIND_LINKS
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1

# install COMMAND... installs with a Python that COMMAND leads to. The second
# argument is a folder as that Python sees it, the first the same as we see it.
install() {
	local ours=$1 theirs=$2
	shift 2
	say "installing Home Assistant $version"
	# What was interrupted is half there, and pip would take it for whole.
	[ ! -f "$ours/installing" ] || rm -rf "$ours/hass"
	touch "$ours/installing"
	"$@" python3.14 -m venv "$theirs/hass"
	try "$@" "$theirs/hass/bin/pip" install --quiet wheel "homeassistant==$version"
	cp "$here/requirements.py" "$ours/requirements.py"
	"$@" "$theirs/hass/bin/python" "$theirs/requirements.py" >"$ours/requirements.txt"
	try "$@" "$theirs/hass/bin/pip" install --quiet -r "$theirs/requirements.txt"
	"$@" "$theirs/hass/bin/hass" --version >/dev/null
	rm "$ours/installing"
}

# finish COMMAND says that all is there, and removes what other versions left.
finish() {
	local old
	for old in "${dir%/*}"/homeassistant-*; do
		[ "$old" = "$dir" ] || rm -rf --one-file-system "$old"
	done
	echo "$wanted" >"$dir/wanted"
	echo "$*" >"$dir/ready.new"
	mv "$dir/ready.new" "$dir/ready"
	cat "$dir/ready"
}

if command -v python3.14 >/dev/null; then
	dir=$mine
	mkdir -p "$dir"
	exec 9>"$dir/lock"
	flock 9
	install "$dir" "$dir" env
	finish "$dir/hass/bin/hass"
	exit 0
fi

[ "$(id -u)" = 0 ] || { say "needs python3.14, or to be run once as root"; exit 1; }
command -v debootstrap >/dev/null || { say "needs python3.14, or debootstrap"; exit 1; }
# Mounts of a mount namespace go with it, whatever ends this script.
[ "${1:-}" = --unshared ] || exec unshare --mount --propagation private bash "$0" --unshared

dir=$shared
root=$dir/root
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9

bootstrap() {
	rm -rf --one-file-system "$root"
	# Debian's own mirror, unless this system uses another one.
	local mirror
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' 2>/dev/null | sed -n '/^http/{p;q}') || true
	debootstrap --variant=minbase \
		--include=python3,python3-venv,python3-dev,ca-certificates,libturbojpeg0,libpcap0.8t64,build-essential,libffi-dev,libssl-dev,git,iproute2,tzdata \
		forky "$root" "$mirror" sid >"$dir/debootstrap.log" 2>&1 || { tail -n 5 "$dir/debootstrap.log" >&2; return 1; }
	rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
}

if [ ! -f "$dir/bootstrapped" ]; then
	say "making a Debian with a current Python (a few minutes, once)"
	try bootstrap
	touch "$dir/bootstrapped"
fi
# The network is this system's: its name servers, certificates and index.
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
if [ -d /usr/local/share/ca-certificates ]; then
	mkdir -p "$root/usr/local/share"
	cp -rL /usr/local/share/ca-certificates "$root/usr/local/share/"
fi
[ ! -f /etc/pip.conf ] || cp -L /etc/pip.conf "$root/etc/pip.conf"
chroot "$root" update-ca-certificates >/dev/null 2>&1
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
install "$root/srv" /srv chroot "$root" env
finish "chroot $root /srv/hass/bin/hass"
