#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Version:   mawk 1.3.4 20200120 (Debian 12, package mawk 1.3.4.20200120-3.1)
# Behaviour: a program that reads lines from a pipe does not get a line when it is there,
#            but when 4096 bytes are, or when the writer has closed the pipe. fflush() does
#            not help: it is the input that waits. "-W interactive" does.
# Output:    read after 3 s: one
#            read after 0 s with -W interactive: one
# Met in:    a filter behind "tail -f" that was to show results of tests as they come, and
#            showed nothing until the end.
#
# Fails if that is not so any more. Nothing of this project is used.

set -eu
package=mawk=1.3.4.20200120-3.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$work"
apt-get download "$package" > log 2>&1 || { cat log; echo "$package cannot be had"; exit 2; }
dpkg-deb -x ./*.deb root
mawk=$work/root/usr/bin/mawk
"$mawk" -W version 2>&1 < /dev/null | head -n 1

# Seconds until the first of two lines, three seconds apart, is through.
first_line()	# OPTION...
{
	begin=$(date +%s)
	{ echo one; sleep 3; echo two; } | "$mawk" "$@" '{ print; fflush() }' | {
		read -r line
		echo "$(($(date +%s) - begin)) $line"
		cat > /dev/null
	}
}

# shellcheck disable=SC2046
set -- $(first_line) $(first_line -W interactive)
echo "read after $1 s: $2"
echo "read after $3 s with -W interactive: $4"
[ "$2" = one ] && [ "$4" = one ] && [ "$1" -ge 3 ] && [ "$3" -lt 2 ]
