#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# setup.sh run|test|source: everything that is needed before a kernel can be built:
# Debian's packages, the kernel source as it is and with the overlay, and but for the
# last of these BusyBox and jq for the guest.

set -eu
. "$(dirname "$0")/lib.sh"

packages="linux-source-$kver gcc-aarch64-linux-gnu libc6-dev-arm64-cross
	gcc libc6-dev make bc bison flex libelf-dev libssl-dev perl
	qemu-system-arm cpio kmod rsync xz-utils"
[ "$1" != test ] || packages="$packages git patch sparse shellcheck mandoc python3 python3-sphinx"

missing_packages()
{
	for package in $packages; do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null) || status=none
		[ "$status" = installed ] || echo "$package"
	done
}

install_packages()
{
	export DEBIAN_FRONTEND=noninteractive
	# The lists of a fresh machine are empty or old; those of one in use
	# mostly do, and fetching them takes longer than the rest.
	# shellcheck disable=SC2086
	apt-get install -y --no-install-recommends $missing || {
		apt-get update
		apt-get install -y --no-install-recommends $missing
	}
}

# APT set up for arm64, with the machine's sources and keys, but with lists,
# cache and an empty dpkg status of its own.
apt_arm64()
{
	apt-get -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
		-o APT::Sandbox::User=root \
		-o Dir::State="$apt/state" -o Dir::State::status="$apt/status" \
		-o Dir::Cache="$apt/cache" "$@"
}

unpack_arm64()	# PACKAGE...: into a directory of their own
{
	apt=$build/apt-arm64
	rm -rf "$apt"
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/deb"
	: > "$apt/status"
	apt_arm64 update
	(cd "$apt/deb" && apt_arm64 download "$@")
	for deb in "$apt"/deb/*.deb; do
		dpkg-deb -x "$deb" "$apt/root"
	done
}

fetch_busybox()
{
	unpack_arm64 busybox-static
	cp "$apt/root/bin/busybox" "$busybox.tmp"
	mv "$busybox.tmp" "$busybox"
	rm -rf "$apt"
}

# With the libraries that it needs, of which those of the compiler are installed.
fetch_jq()
{
	unpack_arm64 jq libjq1 libonig5
	rm -rf "$jq" "$jq.tmp"
	mkdir "$jq.tmp"
	cp "$apt/root/usr/bin/jq" "$apt"/root/usr/lib/aarch64-linux-gnu/lib*.so.? "$jq.tmp"
	(cd /usr/aarch64-linux-gnu/lib && cp ld-linux-aarch64.so.1 libc.so.6 libm.so.6 "$jq.tmp")
	mv "$jq.tmp" "$jq"
	rm -rf "$apt"
}

# The unmodified source: the peer of make bench is built from it, and the tests
# of apply start from it.
unpack_source()
{
	rm -rf "$pristine" "$pristine.tmp" "$pristine.version"
	mkdir -p "$pristine.tmp"
	tar -xf "/usr/src/linux-source-$kver.tar.xz" -C "$pristine.tmp" --strip-components=1
	mv "$pristine.tmp" "$pristine"
	echo "$source_version" > "$pristine.version"
}

# Hard links do: apply.sh never writes through one, and builds write elsewhere.
copy_source()
{
	rm -rf "$linux" "$linux.tmp" "$linux.version"
	# What was built from another source would look newer than this one.
	for kernel in $kernels; do
		rm -rf "${build:?}/$kernel"
	done
	cp -al "$pristine" "$linux.tmp"
	mv "$linux.tmp" "$linux"
	echo "$source_version" > "$linux.version"
}

command -v dpkg-query > /dev/null || die "this needs Debian 12 or a system like it"
missing=$(missing_packages | tr '\n' ' ')
if [ -n "$missing" ]; then
	[ "$(id -u)" = 0 ] ||
		die "these packages are missing; as root: apt-get install --no-install-recommends $missing"
	step packages "install packages: $missing" install_packages
	missing=$(missing_packages | tr '\n' ' ')
	[ -z "$missing" ] || die "could not install: $missing"
fi

[ "$1" = source ] || [ -f "$busybox" ] ||
	step busybox "fetch BusyBox for arm64 from Debian's busybox-static" fetch_busybox
[ "$1" != test ] || [ -d "$jq" ] ||
	step jq "fetch jq for arm64 from Debian" fetch_jq

source_version=$(dpkg-query -W -f '${Version}' "linux-source-$kver")
if [ "$(cat "$pristine.version" 2> /dev/null)" != "$source_version" ]; then
	step unpack "unpack linux-source-$kver $source_version" unpack_source
fi
if [ "$(cat "$linux.version" 2> /dev/null)" != "$source_version" ]; then
	step copy "copy it to build/linux-$kver" copy_source
fi

step apply "apply the overlay to build/linux-$kver" "$top/scripts/apply.sh" apply "$linux"
