#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Version:   Linux 7.3.4 (Debian's trixie-backports, package
#            linux-headers-7.3.4+deb13-common 7.3.4-1~bpo13+1) and 6.12.118 (trixie's
#            security updates, linux-headers-6.12.118+deb13-common 6.12.118-1); GCC 12
# Behaviour: kzalloc_flex() allocates an object with a flexible array, and in Linux 7.3
#            writes the number of its elements into the member that __counted_by() names;
#            but only if the compiler has __builtin_counted_by_ref(). With GCC 12, which
#            still builds that kernel, the macro does not write it, without a word. 6.12
#            has got the macro, too, which never does.
#            Who relies on it has an array of no elements.
# Output:    7.3.4: the counter is set by the macro: yes
#            7.3.4: 5 elements, the counter says 0
#            6.12.118: the counter is set by the macro: no
#            6.12.118: 5 elements, the counter says 0
# Met in:    code for the newest kernel that was to build for an older one.
#
# Fails if that is not so any more. Nothing of this project is used. The macros are those
# of the packages; what they stand on is calloc().

set -eu
newer=7.3.4 newer_package=linux-headers-7.3.4+deb13-common=7.3.4-1~bpo13+1
older=6.12.118 older_package=linux-headers-6.12.118+deb13-common=6.12.118-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

case $(gcc -dumpversion) in
12*) ;;
*)	echo "this is about GCC 12, and here is $(gcc -dumpversion)"; exit 2 ;;
esac

# With lists of its own: those of the machine stay as they are.
cd "$work"
mkdir -p state/lists/partial cache/archives/partial
: > status
key=/usr/share/keyrings/debian-archive-keyring.gpg
{
	echo "deb [signed-by=$key] http://deb.debian.org/debian trixie-backports main"
	echo "deb [signed-by=$key] http://deb.debian.org/debian-security trixie-security main"
} > list
apt()
{
	apt-get -o Dir::State="$work/state" -o Dir::State::status="$work/status" \
		-o Dir::Cache="$work/cache" -o Dir::Etc::SourceList="$work/list" \
		-o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User=root "$@"
}
{ apt update && apt download "$newer_package" "$older_package"; } > log 2>&1 ||
	{ cat log; echo "$newer_package or $older_package cannot be had"; exit 2; }
for package in ./*.deb; do
	dpkg-deb -x "$package" root
done

# A macro of a header, with all its lines; nothing if there is none.
macro()	# NAME FILE
{
	awk -v start="#define $1(" '
	index($0, start) == 1 { within = 1 }
	within { print }
	within && !/\\$/ { exit }' "$2"
}

# Both forms of one that depends on the compiler, with what it depends on.
flex_counter()	# FILE
{
	awk '
	/^#if/ { text = "" }
	{ text = text $0 "\n" }
	/^#define __flex_counter\(/ { found = 1 }
	/^#endif/ { if (found) { printf "%s", text; exit } }' "$1"
}

try()	# VERSION
{
	include=$(echo root/usr/src/linux-headers-"$1"*/include/linux)
	{
		cat <<-HEAD
		#include <stddef.h>
		#include <stdio.h>
		#include <stdlib.h>

		#define struct_size_t(type, member, count) \\
			(sizeof(type) + (count) * sizeof(*((type *)NULL)->member))
		#define default_gfp(...) 0
		#define kzalloc(size, gfp) calloc(1, size)
		HEAD
		flex_counter "$include/compiler_types.h"
		macro __set_flex_counter "$include/overflow.h"
		macro __alloc_flex "$include/slab.h"
		macro kzalloc_flex "$include/slab.h"
		cat <<-BODY
		struct numbers {
			size_t nr;
			int value[]
		#if __has_attribute(__counted_by__)
				__attribute__((__counted_by__(nr)))
		#endif
				;
		};

		int main(void)
		{
			struct numbers *numbers = kzalloc_flex(*numbers, value, 5);

			numbers->value[4] = 1;
			printf("5 elements, the counter says %zu\n", numbers->nr);
			return 0;
		}
		BODY
	} > flex.c
	gcc -Wall -Wextra -o flex flex.c 2> warnings || { cat warnings; exit 1; }
	sets=no
	! macro __alloc_flex "$include/slab.h" | grep -q __set_flex_counter || sets=yes
	echo "$1: the counter is set by the macro: $sets"
	echo "$1: $(./flex)"
	! grep warning warnings
}

{ try $newer; try $older; } | tee said
diff - said <<SAID
$newer: the counter is set by the macro: yes
$newer: 5 elements, the counter says 0
$older: the counter is set by the macro: no
$older: 5 elements, the counter says 0
SAID
