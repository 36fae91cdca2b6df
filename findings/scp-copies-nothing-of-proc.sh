#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Version:   OpenSSH 9.2p1 (Debian 12, packages openssh-client and openssh-sftp-server
#            1:9.2p1-2+deb12u10)
# Behaviour: by the older protocol, which is that of scp up to OpenSSH 8, of "scp -O" and
#            of Dropbear, scp copies as many bytes as stat() has for the size of a file.
#            Files of /proc and of debugfs have the size 0 there: what arrives is an empty
#            file, without a message, with status 0. By SFTP all of it arrives.
# Output:    scp -O: status 0, 0 bytes
#            scp: status 0, all bytes
# Met in:    a report of debugfs that was copied from a board that way: it was empty, as if
#            nothing had been lost. "ssh board cat FILE > COPY" does it.
#
# Fails if that is not so any more. Nothing of this project is used. In place of a
# connection both ends run here.

set -eu
version=1:9.2p1-2+deb12u10
packages="openssh-client=$version openssh-sftp-server=$version"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$work"
# shellcheck disable=SC2086
apt-get download $packages > log 2>&1 || { cat log; echo "$packages cannot be had"; exit 2; }
for package in ./*.deb; do
	dpkg-deb -x "$package" root
done
"$work/root/usr/bin/ssh" -V 2>&1

# What ssh would have run at the other end.
cat > old <<-OLD
	#!/bin/sh
	PATH=$work/root/usr/bin:\$PATH
	for command; do :; done
	exec sh -c "\$command"
OLD
cat > new <<-NEW
	#!/bin/sh
	exec $work/root/usr/lib/openssh/sftp-server
NEW
chmod +x old new

copy()	# PROGRAM OPTION...
{
	program=$1
	shift
	got=0
	rm -f copy
	"$work/root/usr/bin/scp" "$@" -S "$work/$program" board:/proc/version copy > /dev/null 2>&1 ||
		got=$?
	# cmp(1) would go by the size of the file, too.
	if [ -s copy ] && [ "$(cat copy)" = "$(cat /proc/version)" ]; then
		echo "status $got, all bytes"
	else
		echo "status $got, $(wc -c < copy) bytes"
	fi
}

old=$(copy old -O)
new=$(copy new)
echo "scp -O: $old"
echo "scp: $new"
[ "$old" = "status 0, 0 bytes" ] && [ "$new" = "status 0, all bytes" ]
