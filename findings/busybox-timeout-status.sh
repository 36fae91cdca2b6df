#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Version:   BusyBox v1.35.0 (Debian 12, package busybox-static 1:1.35.0-4+deb12u1+b1)
#            beside coreutils 9.1
# Behaviour: timeout(1) of coreutils ends with status 124 when the time is over, which
#            scripts go by; that of BusyBox with 128 and the number of the signal, as if
#            the program had been ended by somebody else. With "-s KILL" both say 137.
#            So kselftest's runner, which knows a timeout by 124, calls it a failure.
# Output:    BusyBox: 143, with -s KILL: 137
#            coreutils: 124, with -s KILL: 137
# Met in:    guests where BusyBox is all there is, which ran kselftest.
#
# Fails if that is not so any more. Nothing of this project is used.

set -eu
packages="busybox-static=1:1.35.0-4+deb12u1+b1 coreutils=9.1-1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$work"
# shellcheck disable=SC2086
apt-get download $packages > log 2>&1 || { cat log; echo "$packages cannot be had"; exit 2; }
for package in ./*.deb; do
	dpkg-deb -x "$package" root
done
"$work/root/bin/busybox" | head -n 1
"$work/root/usr/bin/timeout" --version | head -n 1

# The status of a timeout of a program that takes longer.
status_of()	# COMMAND...
{
	got=0
	"$@" sleep 5 > /dev/null 2>&1 || got=$?
	echo "$got"
}

busybox="$(status_of "$work/root/bin/busybox" timeout 1)"
busybox="$busybox, with -s KILL: $(status_of "$work/root/bin/busybox" timeout -s KILL 1)"
coreutils="$(status_of "$work/root/usr/bin/timeout" 1)"
coreutils="$coreutils, with -s KILL: $(status_of "$work/root/usr/bin/timeout" -s KILL 1)"
echo "BusyBox: $busybox"
echo "coreutils: $coreutils"
[ "$busybox" = "143, with -s KILL: 137" ] && [ "$coreutils" = "124, with -s KILL: 137" ]
