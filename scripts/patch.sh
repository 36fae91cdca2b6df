#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# patch.sh [KSRC]: writes the overlay as a series of patches against KSRC, or against
# the source that `make run` unpacks. series.tbl says which patch has which file,
# series/ has their messages.

set -eu
. "$(dirname "$0")/lib.sh"
command='make patch'
. "$top/scripts/overlay.sh"

series=$top/scripts/series
source=${1:-$linux}
[ -f "$source/Makefile" ] || die "no kernel source at $source: unpack one, and say make patch KSRC=DIR"

# Write each step with the number of its patch to $work/plan, the names of all patches
# in their order to $work/patches, and the files that grow to $work/growing.
make_plan()
{
	: > "$work/growing"
	awk -v patches="$work/patches" -v growing="$work/growing" -v plan="$work/plan" '
	function refuse(why) {
		print why
		refused = 1
	}
	function patch_of(path,  at) {
		if (path in file)
			return file[path]
		for (at = path; sub(/\/[^\/]*$/, "", at); )
			if (at in rest)
				return rest[at]
		return ""
	}
	FNR == NR {
		if (/^#/ || NF == 0)
			next
		if (!($1 in number)) {
			number[$1] = ++last
			print $1 > patches
		}
		for (i = 3; i <= NF; i++) {
			path = $2 "/" $i
			if (sub(/\+$/, "", path))
				print path > growing
			if (path in file || ($i == "." && $2 in rest))
				refuse(path " belongs to more than one patch")
			if ($i == ".")
				rest[$2] = $1
			else
				file[path] = $1
		}
		next
	}
	{
		there[$3]
		patch = $1 == "*" ? patch_of($3) : $1
		if (patch == "")
			refuse($3 " belongs to no patch")
		else if (!(patch in number))
			refuse($3 " belongs to a patch that is not there: " patch)
		sub(/^[^\t]*/, number[patch])
		print > plan
	}
	END {
		for (path in file)
			if (!(path in there))
				refuse(path " is not there")
		exit refused
	}' "$top/scripts/series.tbl" "$work/steps" > "$work/why" ||
		die "see scripts/series.tbl:
$(sort -u "$work/why")"
}

# A growing file without lines that name files that are to come, by their path or, in
# a Makefile, as one does there.
grown()	# PATH NUMBER
{
	awk -F "$tab" -v nr="$2" '$1 > nr { print $3 }' "$work/plan" |
	awk -v dir="${1%/*}/" -v kind="${1##*/}" '
	function names_later(line,  parts, i) {
		for (i = split(line, parts, /[^A-Za-z0-9_.\/-]+/); i > 0; i--) {
			sub(/^[A-Z_]+_SANITIZE_/, "", parts[i])
			if (parts[i] in later)
				return 1
		}
		return 0
	}
	function put(line) {
		if (line == "") {
			gap = any
			return
		}
		if (gap)
			print ""
		print line
		gap = 0
		any = 1
	}
	function put_comment(  lines, nr, i) {
		nr = split(comment, lines, "\n")
		for (i = 1; i < nr; i++)
			put(lines[i])
	}
	!ours {
		later[$0]
		if (index($0, dir) == 1) {
			name = substr($0, length(dir) + 1)
			later[name]
			if (kind == "Makefile" && sub(/\.c$/, "", name)) {
				later[name]
				later[name ".o"]
			}
		}
		next
	}
	# With the comment above.
	/^#/ {
		comment = comment $0 "\n"
		next
	}
	{
		if (!names_later($0)) {
			put_comment()
			put($0)
		}
		comment = ""
	}
	END { put_comment() }' - ours=1 "$work/new/$1"
}

# The text of the cover letter, with figures of the design document.
cover()
{
	linux=$kver$(sed -n 's/^SUBLEVEL = *\([1-9]\)/.\1/p' "$ksrc/Makefile")
	awk -v linux="$linux" '
	FNR == NR {
		if (/^[-=]+$/ && length($0) == length(above))
			title = above
		else if (/^=+  [= ]+$/)
			in_table = title != ""
		else if ($0 == "" && in_table) {
			in_table = 0
			table[title] = table[title] "\n"
		}
		if (in_table) {
			line = $0
			# Blanks in place of the quotes keep the columns.
			if (gsub(/``/, "", line))
				sub(/   */, "&    ", line)
			table[title] = table[title] "  " line "\n"
		}
		above = $0
		next
	}
	sub(/^%table /, "") {
		if (!($0 in table)) {
			print "no table of \"" $0 "\"" > "/dev/stderr"
			exit 1
		}
		sub(/\n\n$/, "\n", table[$0])
		printf "%s", table[$0]
		next
	}
	{ gsub(/%linux/, linux) }
	{ print }' "$top/Documentation/dev-tools/kmemleak-design.rst" "$series/cover.txt"
}

commit()	# MESSAGE-FILE ARGS...
{
	file=$1
	shift
	git -C "$repo" add -f -A
	git -C "$repo" commit -q --no-verify -F "$file" "$@"
}

who=$(git -C "$top" config user.name) || who=
mail=$(git -C "$top" config user.email) || mail=
if [ -z "$who" ] || [ -z "$mail" ]; then
	die "who signs off the patches? Say git config --global user.name, and user.email"
fi
date=$(git -C "$top" log -1 --format=%aD 2> /dev/null) || date='@0 +0000'

use_source "$source"
check_tree
read_table
check_known
make_plan
while read -r title; do
	[ -s "$series/$title.txt" ] || die "a message is missing: scripts/series/$title.txt"
done < "$work/patches"

# All patches together have to come to this.
start_stage
stage "$work/steps"
mv "$work/new" "$work/whole"
repo=$work/repo
mv "$work/old" "$repo"

# The user's own settings must not change what patches look like.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
unset GIT_CONFIG_COUNT GIT_CONFIG_PARAMETERS
export GIT_AUTHOR_NAME="$who" GIT_AUTHOR_EMAIL="$mail" GIT_AUTHOR_DATE="$date"
export GIT_COMMITTER_NAME="$who" GIT_COMMITTER_EMAIL="$mail" GIT_COMMITTER_DATE="$date"
git -C "$repo" init -q -b series
echo "Linux $kver" > "$work/message"
commit "$work/message"
base=$(git -C "$repo" rev-parse HEAD)

start_stage
nr=0
while read -r title; do
	nr=$((nr + 1))
	awk -F "$tab" -v nr=$nr '$1 == nr' "$work/plan" > "$work/some"
	[ -s "$work/some" ] || continue
	stage "$work/some"
	cut -f 3 "$work/some" | sort -u | while read -r path; do
		if [ -f "$work/new/$path" ]; then
			mkdir -p "$repo/$(dirname "$path")"
			cp -p "$work/new/$path" "$repo/$path"
		else
			rm "$repo/$path"
		fi
	done
	while read -r path; do
		[ ! -f "$repo/$path" ] || grown "$path" $nr > "$repo/$path"
	done < "$work/growing"
	commit "$series/$title.txt" -s
done < "$work/patches"
diff -r -x .git "$work/whole" "$repo" > "$work/why" ||
	die "the patches do not come to the same as the whole:
$(head -n 20 "$work/why")"

# Neither an earlier series nor half of one may be taken for this one.
out=$build/kmemleak-$kver
rm -rf "$out" "$out.tmp"
mkdir "$out.tmp"
cover > "$work/cover"
git -C "$repo" config branch.series.description "$(cat "$work/cover")"
# A rename found by likeness would make a patch fail on a file that differs in a
# line we do not care about.
git -C "$repo" format-patch -q -o "$out.tmp" --cover-letter --cover-from-description=subject \
	--no-renames --unified=3 --zero-commit --no-signature "$base"
mv "$out.tmp" "$out"
echo "wrote $(git -C "$repo" rev-list --count "$base..") patches and a cover letter to $out (Linux $kver)"
echo "git am --empty=drop $out/*.patch takes them, without the letter"
