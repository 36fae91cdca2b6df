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

# Older kernels lack kmalloc_obj(), as do those of 6.12 before it was added there.
checkpatch()
{
	perl scripts/checkpatch.pl --strict --terse --quiet --show-types --no-summary \
		--ignore ALLOC_WITH_SIZEOF "$@"
}

kernel_doc()
{
	# Older ones have fewer warnings, and no option for all of them.
	all=-Wall
	grep -q -w Wall scripts/kernel-doc || all=
	# shellcheck disable=SC2086
	perl scripts/kernel-doc -none $all -Werror "$1"
}

# Our documents, and what the kernel's API document takes of our comments, with the
# kernel's own configuration. All of the kernel's documents would take minutes. Of
# those that are left out only the names can be checked, see below.
documents()
{
	docs=$build/sphinx
	rm -rf "$docs"
	mkdir -p "$docs/tree/Documentation/core-api" "$docs/tree/Documentation/dev-tools" &&
		ln -s "$linux/include" "$linux/mm" "$linux/tools" "$linux/MAINTAINERS" \
			"$docs/tree" &&
		cp Documentation/dev-tools/kmemleak* "$docs/tree/Documentation/dev-tools" ||
		return
	{
		printf '%s\n' Comments ======== ''
		grep 'kernel-doc:: .*kmemleak' Documentation/core-api/mm-api.rst
	} > "$docs/tree/Documentation/core-api/mm-api.rst"
	printf '%s\n' Documents ========= '' '.. toctree::' '' '   dev-tools/kmemleak' \
		'   core-api/mm-api' > "$docs/tree/Documentation/index.rst"

	# Linux 7.3 has no other program to read comments.
	reader=
	! grep -q kerneldoc_bin Documentation/conf.py ||
		reader="-D kerneldoc_bin=$linux/scripts/kernel-doc"
	# shellcheck disable=SC2086
	srctree=$linux PYTHONDONTWRITEBYTECODE=1 sphinx-build -q -b html -c Documentation \
		-d "$docs/doctrees" -D kerneldoc_srctree="$linux" $reader \
		"$docs/tree/Documentation" "$docs/html" > "$logs/sphinx.log" 2>&1
	status=$?
	# All but lines about the theme, and about pictures that dot would draw.
	grep -v -e '^Using .* theme$' -e 'dot(1) not found' "$logs/sphinx.log"
	return $status
}

# Sphinx takes the name of a document that it has not for plain text.
documents_named()
{
	xargs grep -o -H 'Documentation/[-A-Za-z0-9_/.]*\.rst' < "$logs/lint.files" |
		while IFS=: read -r file document; do
			[ -f "$document" ] || echo "$file names $document, which is not there"
		done
}

cd "$top"
find scripts initramfs tools findings .ci -type f ! -path '*/test_modules/*' | sort |
	while read -r file; do
		if head -n 1 "$file" | grep -q '^#!.*sh$'; then
			echo "$file"
		fi
	done > "$logs/lint.scripts"
while read -r file; do
	check "shellcheck $file" shellcheck -x -P SCRIPTDIR -s sh "$file"
done < "$logs/lint.scripts"

cd "$linux"
# Not those of which only lines are ours.
awk '$3 ~ /-(line|config)$/ { print $4 }' "$top/scripts/overlay.tbl" > "$logs/lint.lines"
sed -n 's/^\(new\|kept\) [0-9a-f]* //p' .kmemleak-overlay/manifest | sort |
	grep -v -x -F -f "$logs/lint.lines" > "$logs/lint.files"
while read -r file; do
	# Of the kernel's own files only our lines are to be judged, in patches.
	case $file in
	*.svg) ;;
	mm/kmemleak/* | include/* | lib/* | tools/* | Documentation/dev-tools/*)
		check "checkpatch $file" checkpatch -f "$file" ;;
	esac
done < "$logs/lint.files"

while read -r file; do
	case $file in
	mm/kmemleak/*.[ch] | lib/*.c | include/*.h)
		check "kernel-doc $file" kernel_doc "$file" ;;
	esac
done < "$logs/lint.files"

check "documents: built by Sphinx" documents
check "documents: name no others that are not there" documents_named

if "$top/scripts/kernel.sh" lint; then
	echo "ok - lint: W=1 and sparse"
else
	echo "not ok - lint: W=1 and sparse"
fi
