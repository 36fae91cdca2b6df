#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests apply, unapply and patch, on the few files of the kernel source that they
# touch.

set -eu
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Files of the unmodified source that the tests need: all of it is large.
mkdir "$work/pristine"
(cd "$pristine" && cp -Rp --parents Makefile MAINTAINERS mm lib/Kconfig.debug lib/stackdepot.c \
	lib/kunit include/kunit include/linux/kmemleak.h kernel/kthread.c kernel/module kernel/params.c \
	kernel/rcu kernel/stop_machine.c \
	arch/x86/entry/entry_64.S arch/x86/include/asm/unwind.h arch/x86/kernel/unwind_orc.c \
	Documentation/dev-tools Documentation/core-api/mm-api.rst \
	tools/testing/selftests/lib.mk tools/testing/selftests/Makefile \
	tools/testing/selftests/kselftest "$work/pristine")
pristine=$work/pristine

# Kernel versions have the options of the detector in one of two files.
kconfig=$(cd "$pristine" && grep -l '^config DEBUG_KMEMLEAK$' mm/Kconfig.debug lib/Kconfig.debug)

# A repository of our own, to change at will, and a tree like the kernel's.
fresh()
{
	rm -rf "$work/repo" "$work/tree"
	mkdir "$work/repo"
	(cd "$top" && cp -Rp scripts compat mm include lib Documentation tools Kconfig "$work/repo")
	cp -Rp "$pristine" "$work/tree"
}

apply()	# COMMAND
{
	"$work/repo/scripts/apply.sh" "$1" "$work/tree"
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
	(cd "$top" && find mm tools include lib Documentation -type f \
		! -path tools/mm/kmemleak/kmemleak) | while read -r file; do
		# Of KUnit and kselftest there is nothing for the oldest version.
		case $kver,$file in
		6.12,* | 7.*,* | *,mm/* | *,tools/*/kmemleak/* | *,Documentation/* | *,include/linux/*) ;;
		*)	continue ;;
		esac
		cmp "$top/$file" "$work/tree/$file"
	done
	cmp "$top/Kconfig" "$work/tree/mm/kmemleak/Kconfig"
	# What newer kernels call by another name is for older ones, too.
	sed -n 's|.*add[[:space:]]*\([^ ]*\) from compat/\([^/]*\)/\([^ ]*\)$|\2 \3 \1|p' \
		"$top/scripts/overlay.tbl" | while read -r version file name; do
		if [ "$(printf '%s\n' "$version" "$kver" | sort -V | tail -n 1)" = "$version" ]; then
			cmp "$top/compat/$version/$file" "$work/tree/$name"
		else
			[ ! -e "$work/tree/$name" ] || [ -e "$pristine/$name" ] ||
				grep -q "$name from compat/$kver/" "$top/scripts/overlay.tbl"
		fi
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
		case $kver in
		6.1)	printf '%s\n' kernel/module/main.c arch/x86/entry/entry_64.S ;;
		6.12)	printf '%s\n' kernel/module/main.c ;;
		esac
		case $kver in
		6.12 | 7.*)
			printf '%s\n' kernel/module/debug_kmemleak.c \
				arch/x86/include/asm/unwind.h arch/x86/kernel/unwind_orc.c \
				include/kunit/test.h lib/kunit/Makefile lib/kunit/test.c \
				mm/kfence/core.c \
				tools/testing/selftests/Makefile \
				tools/testing/selftests/kselftest/runner.sh ;;
		esac
		case $kver in
		7.*)	echo mm/slab_common.c ;;
		esac
		printf '%s\n' Documentation/dev-tools/kmemleak.rst MAINTAINERS \
			include/linux/kmemleak.h kernel/kthread.c kernel/params.c \
			kernel/rcu/tree.c kernel/stop_machine.c lib/stackdepot.c "$kconfig" mm/Makefile \
			mm/kasan/tags.c mm/kmemleak.c mm/slub.c mm/vmalloc.c
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
	cp -al "$work/tree" "$work/copy"
	apply apply
	same "$pristine" "$work/copy"
	apply unapply
	same "$pristine" "$work/copy"
	rm -rf "$work/copy"
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

test_untested_version_is_refused()
{
	sed -i "s/^tested .*/tested 5.99/" "$work/repo/scripts/overlay.tbl"
	refused "Linux $kver has not been tested; these have been: 5.99$"
	FORCE=1 apply apply
	apply unapply
	same "$pristine" "$work/tree"
}

# What the kernel's own detector offers and ours lacks is named, FORCE=1 or not.
test_what_would_be_lost_is_named()
{
	export FORCE=1
	sed -i 's/^extern void kmemleak_no_scan/extern void kmemleak_latest (const void *p);\n&/' \
		"$work/tree/include/linux/kmemleak.h"
	refused '^  kmemleak_latest()$'
	fresh
	printf '/* kmemleak_old(), and\n * kmemleak_older() */\n' >> "$work/tree/include/linux/kmemleak.h"
	printf '\nconfig DEBUG_KMEMLEAK_LATEST\n\tbool\n' >> "$work/tree/$kconfig"
	refused '^  DEBUG_KMEMLEAK_LATEST$'
	if grep kmemleak_old "$work/said"; then
		return 1
	fi
	fresh
	# What it offers itself is not compared with what it has been put in place of.
	apply apply
	echo '/* more */' >> "$work/repo/include/linux/kmemleak.h"
	apply apply
	unset FORCE
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

# As a user who has set who he is writes them; in $patches.
make_patches()
{
	GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=user.name GIT_CONFIG_VALUE_0="Ann Tester" \
		GIT_CONFIG_KEY_1=user.email GIT_CONFIG_VALUE_1=tester@example.org \
		"$work/repo/scripts/patch.sh" "$work/tree" || return 1
	patches=$(dirname "$(find "$work/repo/build" -name 0000-cover-letter.patch)")
}

no_patch()	# PATTERN: the reason; nothing is written
{
	if make_patches > "$work/said" 2>&1; then
		echo "not refused"
		return 1
	fi
	grep -q -e "$1" "$work/said" || {
		cat "$work/said"
		return 1
	}
	[ -z "$(find "$work/repo/build" -name '*.patch')" ]
}

# In a repository of the tree, so that git has all it may look at.
mailed()	# PATCH...
{
	rm -rf "$work/mailed"
	cp -Rp "$pristine" "$work/mailed"
	set -- -C "$work/mailed" -c user.name=test -c user.email=test@localhost am -q "$@"
	git -C "$work/mailed" init -q
	git -C "$work/mailed" add -f -A
	git -C "$work/mailed" -c user.name=test -c user.email=test@localhost \
		commit -q -m pristine
	git "$@"
}

test_patches_are_what_apply_does()
{
	make_patches
	apply apply
	set -- "$patches"/*.patch
	shift
	mailed "$@"
	[ -z "$(git -C "$work/mailed" status --porcelain --ignored)" ]
	same "$work/tree" "$work/mailed"
	# The cover letter is in nobody's way.
	cp -Rp "$pristine" "$work/patched"
	cat "$patches"/*.patch | patch -p1 -s -d "$work/patched"
	same "$work/tree" "$work/patched"
	mailed --empty=drop "$patches"/*.patch
	same "$work/tree" "$work/mailed"
}

test_patches_are_the_same_each_time()
{
	make_patches
	mv "$patches" "$work/first"
	# From a tree that is not pristine, by somebody with other habits.
	apply apply
	printf '[format]\n\tsignature = me\n\tnumbered = false\n[diff]\n\tnoprefix = true\n' \
		> "$work/habits"
	GIT_CONFIG_GLOBAL=$work/habits make_patches
	diff -r "$work/first" "$patches"
	# Nothing is left of an earlier series.
	echo > "$patches/0099-former.patch"
	make_patches
	diff -r "$work/first" "$patches"
}

test_patches_pass_checkpatch()
{
	make_patches
	cd "$linux"
	for file in "$patches"/*.patch; do
		case $file in
		*/0000-*)	continue ;;
		esac
		# Only of one that changes MAINTAINERS it knows that nothing is missing.
		# Older kernels lack kmalloc_obj().
		perl scripts/checkpatch.pl --strict --terse --quiet --show-types --no-summary \
			--ignore FILE_PATH_CHANGES,ALLOC_WITH_SIZEOF "$file"
	done > "$work/said" 2>&1 || :
	cat "$work/said"
	[ ! -s "$work/said" ]
}

test_patches_say_who_and_why()
{
	make_patches
	for file in "$patches"/*.patch; do
		grep -q '^From: Ann Tester <tester@example.org>$' "$file"
		grep -q '^Subject: \[PATCH [0-9]*/[0-9]*\] ' "$file"
		grep -q ' files\? changed, ' "$file"
		case $file in
		*/0000-*)	grep -q '^  kmalloc(64)  .* [0-9]' "$file" ;;
		*)		grep -q '^Signed-off-by: Ann Tester <tester@example.org>$' "$file" ;;
		esac
	done
}

# Our files that MAINTAINERS names are there, and it names all of them.
test_patches_keep_maintainers_right()
{
	make_patches
	mailed --empty=drop "$patches"/*.patch
	cd "$work/mailed"
	sed -n 's/^F:[[:space:]]*\(.*kmemleak.*\)/\1/p' MAINTAINERS | grep -v '^samples/' |
		while read -r pattern; do
			# shellcheck disable=SC2086
			find $pattern -type f
		done | sort > "$work/maintained"
	git diff --no-renames --diff-filter=A --name-only ":/^pristine" | sort |
		grep kmemleak | comm -23 - "$work/maintained" > "$work/others"
	cat "$work/others"
	[ ! -s "$work/others" ]
}

test_patch_of_a_file_without_one_is_refused()
{
	echo "int more;" > "$work/repo/mm/kmemleak/more.c"
	no_patch 'mm/kmemleak/more.c belongs to no patch'
	fresh
	printf 'docs\tmm/kmemleak/scan\tmark.c\n' >> "$work/repo/scripts/series.tbl"
	no_patch 'mm/kmemleak/scan/mark.c belongs to more than one patch'
	fresh
	rm "$work/repo/mm/kmemleak/scan/mark.c"
	no_patch 'mm/kmemleak/scan/mark.c is not there'
	fresh
	sed -i 's/^\(6[^\t]*\)\tdocs\t/\1\tdocuments\t/' "$work/repo/scripts/overlay.tbl"
	no_patch 'belongs to a patch that is not there: documents'
	fresh
	rm "$work/repo/scripts/series/docs.txt"
	no_patch 'a message is missing: scripts/series/docs.txt'
}

test_patch_of_nobody_is_refused()
{
	if GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 \
			"$work/repo/scripts/patch.sh" "$work/tree" 2> "$work/said"; then
		return 1
	fi
	grep -q 'git config --global user.name' "$work/said"
}

# Each in a process of its own, which stops at the first command that fails.
if [ $# = 1 ]; then
	fresh
	"$1"
	exit
fi
each_test apply
