#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The detector's files call each other in one direction, says nm: each one needs
# functions and data of those that stand before it in its Makefile only. Goes by the
# objects of the kernel arm64, which has to be there.

set -eu
. "$(dirname "$0")/lib.sh"
kernel_setup "${1:-arm64}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The files in the order of the Makefile, without the tests.
sed -n 's/^kmemleak-y [:+]= \(.*\)\.o$/\1/p' "$top/mm/kmemleak/Makefile" > "$work/order"

# Symbols that each of them defines and needs: "FILE KIND SYMBOL".
while read -r file; do
	"${cross}nm" "$objects/mm/kmemleak/$file.o" |
		awk -v file="$file" '
			NF == 3 && $2 ~ /^[A-TV-Z]$/ { print file, "has", $3 }
			NF == 2 && $1 == "U" { print file, "needs", $2 }'
done < "$work/order" > "$work/symbols"

order()
{
	awk '
	FNR == NR { place[$1] = FNR; next }
	$2 == "has" { home[$3] = $1; next }
	{ need[++nr] = $1 " " $3 }
	END {
		for (i = 1; i <= nr; i++) {
			split(need[i], part, " ")
			from = part[1]
			to = home[part[2]]
			if (to == "" || to == from)
				continue
			calls++
			if (place[to] > place[from])
				print from ".c needs " part[2] " of " to ".c, which comes after it"
		}
		if (calls < 100)
			print "only " calls + 0 " calls were found"
	}' "$work/order" "$work/symbols"
}

# Folders follow each other: all files of one stand together.
folders()
{
	awk -F / '
	{ folder = NF > 1 ? $1 : "" }
	folder != last && folder in seen { print folder "/ is in two places" }
	{ seen[folder]; last = folder }' "$work/order"
}

# All that is built is in that order.
complete()
{
	(cd "$top/mm/kmemleak" && find . -name '*.c' ! -path './tests/*' |
		sed 's,^\./,,; s,\.c$,,' | sort) > "$work/files"
	sort "$work/order" | comm -3 - "$work/files" | sed 's/^[[:space:]]*/not in both: /'
}

for check in order folders complete; do
	case $check in
	order)		title="each file calls only those before it" ;;
	folders)	title="each folder calls only those before it" ;;
	complete)	title="no file is left out" ;;
	esac
	$check > "$work/wrong"
	if [ -s "$work/wrong" ]; then
		echo "not ok - order: $title"
		sed 's/^/    /' "$work/wrong"
	else
		echo "ok - order: $title"
	fi
done
