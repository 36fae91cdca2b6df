#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Builds each patch of `make patch` as it is taken: its files without a warning, with
# all that they call, and beside the old detector as long as that is there. Goes by
# the configuration of the kernel arm64, which has to be there.

set -eu
. "$(dirname "$0")/lib.sh"
kernel_setup series

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_COUNT=2
export GIT_CONFIG_KEY_0=user.name GIT_CONFIG_VALUE_0=test
export GIT_CONFIG_KEY_1=user.email GIT_CONFIG_VALUE_1=test@localhost

# Hard links do, as for $linux. What an earlier run has left may be of other patches.
fresh_source()
{
	rm -rf "$source" "$source.tmp"
	mkdir "$source.tmp"
	cp -al "$pristine/." "$source.tmp"
	mv "$source.tmp" "$source"
	mkdir -p "$objects"
	cp "$build/arm64/.config" "$work/config"
}

# A repository of all files that any patch knows of.
fresh_repository()
{
	"$top/scripts/patch.sh" "$pristine"
	set -- "$build/kmemleak-$kver"/*.patch
	shift
	mkdir "$work/repo"
	(cd "$pristine" && sed -n 's,^diff --git a/.* b/,,p' "$@" | sort -u |
		while read -r file; do
			[ ! -f "$file" ] || cp --parents "$file" "$work/repo"
		done)
	git -C "$work/repo" init -q
	git -C "$work/repo" add -f -A
	git -C "$work/repo" commit -q -m pristine
	printf '%s\n' "$@" > "$work/patches"
}

take()	# PATCH: into the source, too
{
	git -C "$work/repo" am -q "$1"
	git -C "$work/repo" diff --no-renames --name-only HEAD~ > "$work/changed"
	while read -r path; do
		# Not in place: it may be a link.
		rm -f "$source/$path"
		[ ! -f "$work/repo/$path" ] ||
			(cd "$work/repo" && cp -p --parents "$path" "$source")
	done < "$work/changed"
}

defined()	# FILE...: symbols that others see
{
	"$cross"nm --defined-only --extern-only "$@" | sed -n 's/.* [A-Z] //p' | sort
}

# All that is built of the detector fits together, says nm, which is quicker than to
# link a kernel.
fits()
{
	detector=$objects/mm/kmemleak/built-in.a
	defined "$detector" > "$work/ours"
	"$cross"nm --undefined-only "$detector" | sed -n 's/.* U \(kml_\)/\1/p' | sort -u |
		comm -23 - "$work/ours" > "$work/missing"
	sed 's/^/nobody has /' "$work/missing"
	[ ! -s "$work/missing" ]
	if [ -f "$source/mm/kmemleak.c" ]; then
		defined "$objects/mm/kmemleak.o" | comm -12 - "$work/ours" > "$work/twice"
		sed 's/^/both have /' "$work/twice"
		[ ! -s "$work/twice" ]
	fi
}

compile()
{
	# Options of tests are not there from the start.
	if [ ! -f "$work/configured" ] || grep -q Kconfig "$work/changed"; then
		cp "$work/config" "$objects/.config"
		kernel_make olddefconfig
		touch "$work/configured"
	fi
	set -- mm/kmemleak/
	[ ! -f "$source/mm/kmemleak.c" ] || set -- "$@" mm/kmemleak.o
	kernel_make W=1 "$@"
	fits
}

build()	# WHAT
{
	set +e
	(set -e; compile) > "$logs/series.out" 2>&1 < /dev/null
	status=$?
	set -e
	if [ $status = 0 ] && ! grep -q 'warning: ' "$logs/series.out"; then
		echo "ok - series: $1 builds"
	else
		echo "not ok - series: $1 builds"
		tail -n 20 "$logs/series.out" | sed 's/^/    /'
	fi
}

fresh_source
fresh_repository > /dev/null
while read -r file; do
	take "$file"
	if [ -f "$source/mm/kmemleak/Makefile" ] && grep -q '^mm/' "$work/changed"; then
		build "$(basename "$file" .patch)"
	fi
done < "$work/patches"
