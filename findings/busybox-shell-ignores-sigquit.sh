#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Version:   BusyBox v1.35.0 (Debian 12, package busybox-static 1:1.35.0-4+deb12u1+b1)
#            beside dash 0.5.12
# Behaviour: a shell of BusyBox that runs a script, or "sh -c", ignores SIGQUIT, which ends
#            one of dash. What it becomes by "exec" does not ignore it. So of
#            "sh -c '...; exec PROGRAM'" a SIGQUIT that comes a moment too soon is lost for
#            good, and PROGRAM goes on as if nobody had sent it.
# Output:    BusyBox: goes on, status 0; after exec: status 131
#            dash: status 131; after exec: status 131
# Met in:    a test of a tool that passes signals on, which on a busy machine waited for
#            the end of a "sleep 1000".
#
# Fails if that is not so any more. Nothing of this project is used.

set -eu
packages="busybox-static=1:1.35.0-4+deb12u1+b1 dash=0.5.12-2"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$work"
# shellcheck disable=SC2086
apt-get download $packages > log 2>&1 || { cat log; echo "$packages cannot be had"; exit 2; }
for package in ./*.deb; do
	dpkg-deb -x "$package" root
done
"$work/root/bin/busybox" | head -n 1

# What becomes of a shell, and of a program in its place, that gets the signal.
told_by()	# SHELL...
{
	got=0
	# shellcheck disable=SC2016
	"$@" -c 'kill -QUIT $$; echo "goes on, "' > said 2> /dev/null || got=$?
	after=0
	# shellcheck disable=SC2016
	"$@" -c '(sleep 1; kill -QUIT $$) & exec sleep 5' > /dev/null 2>&1 || after=$?
	echo "$(cat said)status $got; after exec: status $after"
}

busybox=$(told_by "$work/root/bin/busybox" sh)
dash=$(told_by "$work/root/bin/dash")
echo "BusyBox: $busybox"
echo "dash: $dash"
[ "$busybox" = "goes on, status 0; after exec: status 131" ] &&
	[ "$dash" = "status 131; after exec: status 131" ]
