#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Our files under the kernel's own checks, in the tree they have been put into.

set -eu
. "$(dirname "$0")/lib.sh"

out=$logs/lint.out

check()	# TITLE COMMAND...: it succeeds and has nothing to say
{
	title=$1
	shift
	status=0
	"$@" > "$out" 2>&1 < /dev/null || status=$?
	if [ "$status" = 0 ] && [ ! -s "$out" ]; then
		echo "ok - lint: $title"
	else
		echo "not ok - lint: $title"
		head -n 40 "$out" | sed 's/^/    /'
	fi
}

checkpatch()
{
	# No change of ours has a place in the kernel's MAINTAINERS.
	perl scripts/checkpatch.pl --strict --terse --quiet --show-types --no-summary \
		--ignore FILE_PATH_CHANGES "$@"
}

kernel_doc()
{
	perl scripts/kernel-doc -none -Wall -Werror "$1"
}

cd "$top"
find scripts initramfs tools .ci -type f ! -path '*/test_modules/*' | sort |
	while read -r file; do
		if head -n 1 "$file" | grep -q '^#!.*sh$'; then
			echo "$file"
		fi
	done > "$logs/lint.scripts"
while read -r file; do
	check "shellcheck $file" shellcheck -x -P SCRIPTDIR -s sh "$file"
done < "$logs/lint.scripts"

cd "$linux"
sed -n 's/^\(new\|kept\) [0-9a-f]* //p' .kmemleak-overlay/manifest | sort > "$logs/lint.files"
while read -r file; do
	# Of the kernel's own files only our lines are to be judged, see below.
	case $file in
	mm/kmemleak/* | include/* | tools/* | Documentation/dev-tools/*)
		check "checkpatch $file" checkpatch -f "$file" ;;
	esac
done < "$logs/lint.files"

"$top/scripts/apply.sh" patch "$linux" "$build/lint.patch" > /dev/null
# A commit is signed off by who sends it.
check "checkpatch of the patch" checkpatch --ignore MISSING_SIGN_OFF "$build/lint.patch"

while read -r file; do
	case $file in
	mm/*.[ch] | include/*.h)
		check "kernel-doc $file" kernel_doc "$file" ;;
	esac
done < "$logs/lint.files"

if "$top/scripts/kernel.sh" lint; then
	echo "ok - lint: W=1 and sparse"
else
	echo "not ok - lint: W=1 and sparse"
fi
