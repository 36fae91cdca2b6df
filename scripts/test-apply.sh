#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests apply, unapply and patch, on the few files of the kernel source that
# they touch.

set -eu
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# What the tests need of the unmodified source, which is large.
mkdir "$work/pristine"
(cd "$pristine" && cp -Rp --parents Makefile mm lib/Kconfig.debug include/linux/kmemleak.h \
	Documentation/dev-tools Documentation/core-api/mm-api.rst \
	tools/testing/selftests/lib.mk "$work/pristine")
pristine=$work/pristine

# Kernel versions have the options of the detector in one of two files.
kconfig=$(cd "$pristine" && grep -l '^config DEBUG_KMEMLEAK$' mm/Kconfig.debug lib/Kconfig.debug)

# A repository of our own, to change at will, and a tree like the kernel's.
fresh()
{
	rm -rf "$work/repo" "$work/tree"
	mkdir "$work/repo"
	(cd "$top" && cp -Rp scripts compat mm include Documentation tools Kconfig "$work/repo")
	cp -Rp "$pristine" "$work/tree"
}

apply()	# COMMAND [OUTPUT]
{
	"$work/repo/scripts/apply.sh" "$1" "$work/tree" ${2:+"$2"}
}

# All that a tree is: names, modes, contents and, on demand, times.
listing()	# DIRECTORY [FORMAT]
{
	(cd "$1" && find . -path ./.kmemleak-overlay -prune -o -path ./.git -prune -o \
		-printf "%P %y %m ${2:-}\n" | sort &&
		find . -path ./.kmemleak-overlay -prune -o -path ./.git -prune -o \
		-type f -exec sha256sum {} + | sort)
}

same()	# DIRECTORY DIRECTORY
{
	listing "$1" > "$work/one"
	listing "$2" > "$work/two"
	diff "$work/one" "$work/two"
}

refused()	# PATTERN: apply says so, and leaves the tree alone
{
	rm -rf "$work/before"
	cp -Rp "$work/tree" "$work/before"
	if apply "${2:-apply}" > "$work/said" 2>&1; then
		echo "not refused"
		return 1
	fi
	grep -q -e "$1" "$work/said" || {
		cat "$work/said"
		return 1
	}
	diff -r "$work/before" "$work/tree"
}

test_puts_everything_in_place()
{
	apply apply
	[ ! -e "$work/tree/mm/kmemleak.c" ]
	(cd "$top" && find mm tools include Documentation -type f \
		! -path tools/mm/kmemleak/kmemleak) | while read -r file; do
		cmp "$top/$file" "$work/tree/$file"
	done
	cmp "$top/Kconfig" "$work/tree/mm/kmemleak/Kconfig"
	sed -n "s|^$kver-.*add[[:space:]]*\([^ ]*\) from \(compat/.*\)|\2 \1|p" \
		"$top/scripts/overlay.tbl" | while read -r file name; do
		cmp "$top/$file" "$work/tree/$name"
	done
	[ "$(grep -c 'kmemleak' "$work/tree/mm/Makefile")" = 1 ]
	# shellcheck disable=SC2016
	grep -q -x 'obj-$(CONFIG_DEBUG_KMEMLEAK) += kmemleak/' "$work/tree/mm/Makefile"
	grep -q -x 'source "mm/kmemleak/Kconfig"' "$work/tree/$kconfig"
	! grep -q -i 'config.*kmemleak$' "$work/tree/$kconfig"
}

test_leaves_out_what_was_built()
{
	echo program > "$work/repo/tools/mm/kmemleak/kmemleak"
	echo object > "$work/repo/mm/kmemleak/scan.o"
	apply apply
	[ ! -e "$work/tree/tools/mm/kmemleak/kmemleak" ]
	[ ! -e "$work/tree/mm/kmemleak/scan.o" ]
}

test_touches_nothing_else()
{
	apply apply
	listing "$pristine" "%T@" | grep '^[^ ]* f' | sort > "$work/one"
	listing "$work/tree" "%T@" | grep '^[^ ]* f' | sort > "$work/two"
	comm -23 "$work/one" "$work/two" | cut -d ' ' -f 1 > "$work/changed"
	{
		(cd "$pristine" && grep -l 'mm/kmemleak\.c' Documentation/core-api/mm-api.rst) || :
		printf '%s\n' Documentation/dev-tools/kmemleak.rst include/linux/kmemleak.h \
			"$kconfig" mm/Makefile mm/kmemleak.c
	} | sort | diff - "$work/changed"
}

test_second_apply_does_nothing()
{
	apply apply
	listing "$work/tree" "%T@ %C@ %i" > "$work/one"
	apply apply | grep -q 'up to date'
	listing "$work/tree" "%T@ %C@ %i" > "$work/two"
	cmp "$work/one" "$work/two"
}

test_apply_again_follows_the_repository()
{
	apply apply
	echo "/* more */" >> "$work/repo/include/linux/kmemleak.h"
	mkdir "$work/repo/mm/kmemleak/another"
	echo "int more;" > "$work/repo/mm/kmemleak/another/more.c"
	find "$work/tree" -newer "$work/repo/mm/kmemleak/another/more.c" | grep . && return 1
	apply apply
	# Only these have a new time, so that only these are compiled again.
	find "$work/tree" -type f -newer "$work/repo/mm/kmemleak/another/more.c" \
		! -path '*/.kmemleak-overlay/*' -printf '%P\n' | sort > "$work/newer"
	printf '%s\n' include/linux/kmemleak.h mm/kmemleak/another/more.c | diff - "$work/newer"
	rm -r "$work/repo/mm/kmemleak/another"
	apply apply
	[ ! -e "$work/tree/mm/kmemleak/another" ]
	apply unapply
	same "$pristine" "$work/tree"
}

test_unapply_restores_the_tree()
{
	apply apply
	apply unapply
	same "$pristine" "$work/tree"
	diff -r "$pristine" "$work/tree"
}

test_unapply_leaves_what_is_not_ours()
{
	apply apply
	echo object > "$work/tree/mm/kmemleak/mine.o"
	apply unapply | grep -q 'left mm/kmemleak'
	[ "$(cat "$work/tree/mm/kmemleak/mine.o")" = object ]
}

test_unapply_of_nothing_is_refused()
{
	refused 'nothing is applied' unapply
}

test_hard_links_are_not_written_through()
{
	cp -al "$work/tree" "$work/twin"
	apply apply
	same "$pristine" "$work/twin"
	apply unapply
	same "$pristine" "$work/twin"
	rm -rf "$work/twin"
}

test_interrupted_runs_can_be_repeated()
{
	for delay in 0.02 0.05 0.08 0.11 0.14 0.17 0.20 0.23 0.26 0.30 0.35; do
		timeout -s KILL "$delay" "$work/repo/scripts/apply.sh" apply "$work/tree" || :
		[ ! -d "$work/tree/.kmemleak-overlay" ] ||
			timeout -s KILL "$delay" "$work/repo/scripts/apply.sh" unapply "$work/tree" || :
	done > /dev/null 2>&1
	apply apply
	apply unapply
	same "$pristine" "$work/tree"
}

test_work_in_the_tree_is_not_lost()
{
	apply apply
	echo "# mine" >> "$work/tree/mm/Makefile"
	refused '^  mm/Makefile$'
	refused '^  mm/Makefile$' unapply
}

test_no_kernel_source_is_refused()
{
	rm "$work/tree/Makefile"
	refused 'no kernel source'
	fresh
	rm -r "$work/tree/mm"
	refused 'no kernel source'
	fresh
	sed -i '/^VERSION/d' "$work/tree/Makefile"
	refused 'no kernel source'
}

test_unknown_version_is_refused()
{
	sed -i 's/^VERSION = .*/VERSION = 2/' "$work/tree/Makefile"
	refused 'no support for Linux 2\.'
}

test_missing_anchor_is_refused()
{
	sed -i '/^KCOV_INSTRUMENT_kmemleak.o/d' "$work/tree/mm/Makefile"
	refused 'mm/Makefile has, 0 times'
	fresh
	sed -i 's/^config DEBUG_KMEMLEAK$/config DEBUG_OTHER/' "$work/tree/$kconfig"
	refused "$kconfig has, 0 times"
}

test_doubled_anchor_is_refused()
{
	sed -i 's/^obj-.*kmemleak\.o$/&\n&/' "$work/tree/mm/Makefile"
	refused 'mm/Makefile has, 2 times'
	fresh
	printf 'config DEBUG_KMEMLEAK\n\tbool\n' >> "$work/tree/$kconfig"
	refused "$kconfig has, 2 times"
}

test_half_applied_tree_is_refused()
{
	mkdir "$work/tree/mm/kmemleak"
	cp "$work/repo/mm/kmemleak/Makefile" "$work/tree/mm/kmemleak"
	refused 'mm/kmemleak/Makefile is there already'
	fresh
	rm "$work/tree/mm/kmemleak.c"
	refused 'mm/kmemleak.c is not there'
}

test_patch_is_what_apply_does()
{
	# Twice, from a tree that is pristine and from one that is not.
	apply patch "$work/one.patch"
	apply apply
	apply patch "$work/two.patch"
	sed '/^Date: /d' "$work/one.patch" > "$work/one.text"
	sed '/^Date: /d' "$work/two.patch" | cmp "$work/one.text" -

	cp -Rp "$pristine" "$work/patched"
	patch -p1 -s -d "$work/patched" < "$work/one.patch"
	same "$work/tree" "$work/patched"
	rm -rf "$work/patched"
}

test_patch_is_mail_for_git()
{
	apply patch "$work/one.patch"
	apply apply
	cp -Rp "$pristine" "$work/mailed"
	git -C "$work/mailed" init -q
	git -C "$work/mailed" add -f -A
	git -C "$work/mailed" -c user.name=test -c user.email=test@localhost \
		commit -q -m pristine
	git -C "$work/mailed" -c user.name=test -c user.email=test@localhost \
		am -q "$work/one.patch"
	[ -z "$(git -C "$work/mailed" status --porcelain --ignored)" ]
	same "$work/tree" "$work/mailed"
	for line in '^From: .*<.*>$' '^Subject: \[PATCH\] ' '^Date: ' ' files changed, ' \
		'^ delete mode 100644 mm/kmemleak.c$' '^ create mode 100644 mm/kmemleak/Makefile$'; do
		grep -q -e "$line" "$work/one.patch"
	done
	rm -rf "$work/mailed"
}

# Each in a process of its own, which stops at the first command that fails.
if [ $# = 1 ]; then
	fresh
	"$1"
	exit
fi
each_test apply
