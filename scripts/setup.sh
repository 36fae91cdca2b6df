#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# setup.sh run|test|source: everything that is needed before a kernel can be built:
# Debian's packages, the kernel source as it is and with the overlay, and but for the
# last of these BusyBox and jq for the guest. For tests, herd7 too, and a newer QEMU than
# Debian 12 has if GUEST_QEMU says where to.

set -eu
. "$(dirname "$0")/lib.sh"

# Sources that Debian 12 has not, and the suites that have them, in the order in which
# they are asked. The machine's own suites come first.
case $kver in
6.1 | 6.12)	suites='' source_package=linux-source-$kver ;;
7.2)		suites="trixie-backports sid" source_package='' ;;
7.3)		suites="trixie-backports" source_package='' ;;
*)		die "no source is known for KVER=$kver; there are: $kvers" ;;
esac

packages="$source_package gcc-aarch64-linux-gnu libc6-dev-arm64-cross
	gcc libc6-dev make bc bison flex libelf-dev libssl-dev perl
	qemu-system-arm cpio kmod rsync xz-utils"
[ "$1" != test ] && [ "$GUEST_ARCH" != x86_64 ] || packages="$packages qemu-system-x86"
arch_setup "$GUEST_ARCH"
packages="$packages $compiler_packages"
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

# APT set up for an architecture, with the machine's sources and keys, but with
# lists, cache and an empty dpkg status of its own.
apt_apart()
{
	apt-get -o APT::Architecture="$apart" -o APT::Architectures="$apart" \
		-o APT::Sandbox::User=root \
		-o Dir::State="$apt/state" -o Dir::State::status="$apt/status" \
		-o Dir::Cache="$apt/cache" "$@"
}

start_apart()	# ARCHITECTURE
{
	apart=$1
	apt=$build/apt-$apart
	rm -rf "$apt"
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/deb"
	: > "$apt/status"
	# What is wanted may be in those that could be fetched.
	apt_apart update || echo "without some of the lists"
}

unpack()	# APT PACKAGE...: into a directory of their own
{
	with=$1
	shift
	(cd "$apt/deb" && "$with" download "$@")
	for deb in "$apt"/deb/*.deb; do
		dpkg-deb -x "$deb" "$apt/root"
	done
}

# Of the guest's architecture, from Debian 12, or for those that it is not for, from the
# release after it.
unpack_for_guest()	# PACKAGE...
{
	if [ "$arch" != riscv ]; then
		start_apart "$debian_arch"
		unpack apt_apart "$@"
		return
	fi
	start_apart "$(dpkg --print-architecture)"
	find_mirror
	start_apart "$debian_arch"
	use_suite trixie
	unpack apt_suite "$@"
}

# Of the directories for programs or libraries: newer packages have it in those of /usr.
from_package()	# NAME TO
{
	cp "$(find "$apt/root" ! -type d -path "*/$1" -print -quit)" "$2"
}

fetch_busybox()
{
	unpack_for_guest busybox-static
	from_package bin/busybox "$busybox.tmp"
	mv "$busybox.tmp" "$busybox"
	rm -rf "$apt"
}

# With the libraries that it needs, of which those of the compiler are installed.
fetch_jq()
{
	unpack_for_guest jq libjq1 libonig5 libc6
	rm -rf "$jq" "$jq.tmp"
	mkdir "$jq.tmp"
	from_package bin/jq "$jq.tmp"
	for library in libjq.so.1 libonig.so.5 libc.so.6 libm.so.6 'ld*.so.?'; do
		from_package "$tools/$library" "$jq.tmp"
	done
	mv "$jq.tmp" "$jq"
	rm -rf "$apt"
}

# Where the machine gets its packages from.
find_mirror()
{
	# shellcheck disable=SC2016 # these are APT's variables
	mirror=$(apt_apart indextargets --format '$(REPO_URI)' 'Label: Debian' \
		'Created-By: Packages' | head -n 1)
	[ -n "$mirror" ] || die "none of the machine's package sources is Debian's"
}

# APT with one suite of Debian alone, from where the machine gets its own.
apt_suite()
{
	apt_apart -o Dir::Etc::SourceList="$apt/suite.list" \
		-o Dir::Etc::SourceParts=/dev/null "$@"
}

use_suite()	# SUITE
{
	echo "deb $mirror $1 main" > "$apt/suite.list"
	apt_suite update
}

# Keeps the package, and its name, which has the version.
fetch_source()
{
	start_apart "$(dpkg --print-architecture)"
	(cd "$apt/deb" && apt_apart download "linux-source-$kver") || {
		find_mirror
		for suite in $suites; do
			use_suite "$suite" || continue
			(cd "$apt/deb" && apt_suite download "linux-source-$kver") && break
		done
	}
	set -- "$apt"/deb/*.deb
	[ -f "$1" ] || die "there is no linux-source-$kver in the suites $suites of $mirror, nor in the machine's own"
	dpkg-deb -x "$1" "$apt/root"
	mv "$apt/root/usr/src/linux-source-$kver.tar.xz" "$build"
	dpkg-deb -f "$1" Version > "$build/linux-source-$kver.version"
	rm -rf "$apt"
}

# Debian 12 has no herd7, and the libraries of Debian 12 are too old for this one.
unpack_herd()
{
	start_apart "$(dpkg --print-architecture)"
	find_mirror
	use_suite sid
	unpack apt_suite herdtools7 libc6 libgmp10
	rm -rf "$herd" "$herd.tmp"
	mkdir "$herd.tmp"
	cp "$apt/root/usr/bin/herd7" "$apt"/root/usr/lib/*/ld-linux-*.so.* \
		"$apt"/root/usr/lib/*/libc.so.6 "$apt"/root/usr/lib/*/libm.so.6 \
		"$apt"/root/usr/lib/*/libgmp.so.10 "$herd.tmp"
	cp -r "$apt/root/usr/share/herdtools7/herd" "$herd.tmp/share"
	mv "$herd.tmp" "$herd"
	rm -rf "$apt"
}

# Unstable is what it says: a day on which it has no herd7 must not stop all tests.
fetch_herd()
{
	# Where its status is tested it would not stop at what fails.
	(set -e; unpack_herd) &
	wait $! || echo "the litmus tests will be skipped"
}

# For guests that the machine's own is too old for: it stays as it is.
fetch_qemu()
{
	start_apart "$(dpkg --print-architecture)"
	find_mirror
	use_suite bookworm-backports
	unpack apt_suite qemu-system-arm qemu-system-common qemu-system-data
	mv "$apt/root" "$GUEST_QEMU"
	rm -rf "$apt"
}

# The unmodified source: the peer of make bench is built from it, and the tests
# of apply start from it.
unpack_source()
{
	rm -rf "$pristine" "$pristine.tmp" "$pristine.version"
	mkdir -p "$pristine.tmp"
	tar -xf "$source_archive" -C "$pristine.tmp" --strip-components=1
	mv "$pristine.tmp" "$pristine"
	echo "$source_version" > "$pristine.version"
}

# Hard links do: apply.sh never writes through one, and builds write elsewhere.
copy_source()
{
	rm -rf "$linux" "$linux.tmp" "$linux.version"
	# Objects of another source would look newer than this one.
	for kernel in $kernels; do
		rm -rf "${build:?}/$kernel"
	done
	cp -al "$pristine/." "$linux.tmp"
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
	step busybox "fetch BusyBox for $arch from Debian's busybox-static" fetch_busybox
[ "$1" = source ] || [ -d "$jq" ] ||
	step jq "fetch jq for $arch from Debian" fetch_jq
[ -z "${GUEST_QEMU:-}" ] || [ -d "$GUEST_QEMU" ] ||
	step qemu "fetch a newer QEMU from Debian's bookworm-backports" fetch_qemu
[ "$1" != test ] || [ -d "$herd" ] || command -v herd7 > /dev/null ||
	step herd "fetch herd7 from Debian's unstable suite" fetch_herd

if [ -n "$source_package" ]; then
	source_archive=/usr/src/linux-source-$kver.tar.xz
	source_version=$(dpkg-query -W -f '${Version}' "linux-source-$kver")
else
	source_archive=$build/linux-source-$kver.tar.xz
	[ -f "$build/linux-source-$kver.version" ] ||
		step source "fetch linux-source-$kver from Debian" fetch_source
	source_version=$(cat "$build/linux-source-$kver.version")
fi
if [ "$(cat "$pristine.version" 2> /dev/null)" != "$source_version" ]; then
	step unpack "unpack linux-source-$kver $source_version" unpack_source
fi
if [ "$(cat "$linux.version" 2> /dev/null)" != "$source_version" ]; then
	step copy "copy it to build/linux-$kver" copy_source
fi

step apply "apply the overlay to build/linux-$kver" "$top/scripts/apply.sh" apply "$linux"
