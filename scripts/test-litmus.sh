#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs the litmus tests: what the detector does without locks, in the kernel's own
# memory model. Each test has the result that its header says. A line of it that ends
# in "// NAME: STATEMENT" is STATEMENT, or nothing, in the variant NAME of the test,
# which must not have that result: so what the line does is needed.

set -eu
. "$(dirname "$0")/lib.sh"

# The last output of herd7, and the variant that it ran.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
variant=$work/variant.litmus

if command -v herd7 > /dev/null; then
	run_herd() { timeout 120 herd7 "$@"; }
elif [ -d "$herd" ]; then
	# It is for newer libraries than this machine has.
	run_herd()
	{
		timeout 120 "$herd"/ld-linux-*.so.* --library-path "$herd" \
			"$herd/herd7" -set-libdir "$herd/share" "$@"
	}
else
	echo "skip - litmus tests # no herd7 could be had, $logs/herd.log says why"
	exit
fi

# The tests are about functions that are there, by the names that they say.
check_names()
{
	missing=$(cat "$@" | grep '^ \*' | grep -o '[a-z_0-9]*()' | tr -d '()' | sort -u |
		while read -r name; do
			grep -q -r -w "$name" "$top/mm/kmemleak" || echo "$name()"
		done)
	if [ -z "$missing" ]; then
		echo "ok - litmus: all functions that are named are there"
	else
		echo "not ok - litmus: all functions that are named are there"
		echo "$missing" | sed 's/^/    /'
	fi
}

# check TITLE RESULT FILE: herd7 says so, and finds nothing wrong with the test
check()
{
	# In there the model's files find one another.
	cd "$pristine/tools/memory-model"
	status=0
	run_herd -conf linux-kernel.cfg "$3" > "$work/said" 2>&1 || status=$?
	cd "$top"
	if [ $status = 0 ] && grep -q "^Observation [^ ]* $2 " "$work/said" &&
	   ! grep -q -e '^Flag' -e '^Warning' "$work/said"; then
		echo "ok - litmus: $1: $2"
	else
		echo "not ok - litmus: $1: $2"
		sed 's/^/    /' "$work/said"
	fi
}

# A test without any could not be told from one that cannot fail.
check_variants()	# TEST RESULT FILE
{
	variants=$(sed -n 's|.*// \([a-z-]*\):.*|\1|p' "$3" | sort -u)
	[ -n "$variants" ] || echo "not ok - litmus: $1: has variants"
	for way in $variants; do
		awk -v mark="// $way:" '{
			at = index($0, mark)
			print at ? substr($0, at + length(mark)) : $0
		}' "$3" > "$variant"
		check "$1, $way" "$2" "$variant"
	done
}

check_names "$top"/scripts/litmus/*.litmus
for test in "$top"/scripts/litmus/*.litmus; do
	name=$(basename "$test" .litmus)
	case $(sed -n 's/^ \* Result: //p' "$test") in
	Never)		result=Never other=Sometimes ;;
	Sometimes)	result=Sometimes other=Never ;;
	*)		echo "not ok - litmus: $name: says what its result is"; continue ;;
	esac
	check "$name" "$result" "$test"
	check_variants "$name" "$other" "$test"
done
