#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Puts the overlay into a kernel source, takes it out again, or writes it as
# one patch. What is done to which file stands in overlay.tbl.
#
# The tree is written to only after everything has been worked out and
# checked. A file is never written in place: its new content is made under
# $state and renamed over it, so that a tree of hard links (cp -al) leaves
# its twin alone and an interrupted run leaves every file whole. What is
# needed to go on from, or back after, an interruption is in $state before
# the first file changes.

set -eu

usage()
{
	cat >&2 <<-USAGE
	usage: $0 apply KSRC
	       $0 unapply KSRC
	       $0 patch KSRC OUTPUT
	USAGE
	exit 2
}

die()
{
	echo "$command: $*" >&2
	exit 1
}

[ $# -ge 2 ] || usage
command=$1
[ -d "$2" ] || die "$2 is no directory"
ksrc=$(cd "$2" && pwd)
top=$(cd "$(dirname "$0")/.." && pwd)
tab=$(printf '\t')

# In the tree itself, so that a rename from there never crosses a file system.
# state/orig/PATH is the kernel's own file; state/manifest has lines
#   new SUM PATH     our file, which the kernel has not
#   kept SUM PATH    the kernel's file, changed or replaced (SUM -: removed)
#   dir - PATH       a directory that was made for our files
# and, while files are being changed, the lines of before and after.
state=$ksrc/.kmemleak-overlay
new_state=$state.new
old_state=$state.old

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

check_tree()
{
	if [ ! -f "$ksrc/Makefile" ] || [ ! -f "$ksrc/mm/Makefile" ]; then
		die "$ksrc is no kernel source: no Makefile or no mm/"
	fi
	version=$(sed -n 's/^VERSION = *//p' "$ksrc/Makefile")
	level=$(sed -n 's/^PATCHLEVEL = *//p' "$ksrc/Makefile")
	case "$version.$level" in
	.* | *. | *[!0-9.]*)
		die "$ksrc is no kernel source: its Makefile states no version" ;;
	esac
	kver=$version.$level

	exec 9< "$ksrc"
	flock -w 10 9 || die "$ksrc is being changed by another run"
}

# The rows of overlay.tbl for this kernel: ACTION, PATH, ARGUMENT, tabs between.
read_table()
{
	awk -v kver="$kver" '
	function number(v,  part) {
		split(v, part, ".")
		return part[1] * 1000 + part[2]
	}
	function is_within(list,  nr, i, ranges, range) {
		nr = split(list, ranges, ",")
		for (i = 1; i <= nr; i++) {
			split(ranges[i], range, "-")
			if ((range[1] == "" || number(kver) >= number(range[1])) &&
			    (range[2] == "" || number(kver) <= number(range[2])))
				return 1
		}
		return 0
	}
	/^#/ || /^[ \t]*$/ { next }
	is_within($1) {
		argument = $0
		sub(/^[^ \t]+[ \t]+[^ \t]+[ \t]+[^ \t]+[ \t]*/, "", argument)
		printf "%s\t%s\t%s\n", $2, $3, argument
	}' "$top/scripts/overlay.tbl" > "$work/table"
	[ -s "$work/table" ] || die "no support for Linux $kver"
}

sum_of()
{
	sha256sum < "$1" | cut -d ' ' -f 1
}

in_manifest()	# KIND PATH
{
	[ -f "$state/manifest" ] &&
		awk -v kind="$1" -v path="$2" \
			'$1 == kind && $3 == path { found = 1 } END { exit !found }' \
			"$state/manifest"
}

# Where the kernel's own version of a file is: in the tree until we change it.
original()
{
	if [ -f "$state/orig/$1" ]; then
		echo "$state/orig/$1"
	elif ! in_manifest new "$1"; then
		echo "$ksrc/$1"
	fi
}

# The kernel's file, to be changed: once for all rows that name it.
take_original()
{
	[ -f "$work/old/$1" ] && return
	from=$(original "$1")
	if [ -z "$from" ] || [ ! -f "$from" ]; then
		die "$1 is not there: is this tree changed already?"
	fi
	[ ! -L "$ksrc/$1" ] || die "$1 is a symbolic link"
	mkdir -p "$work/old/$(dirname "$1")" "$work/new/$(dirname "$1")"
	cp -p "$from" "$work/old/$1"
	cp -p "$from" "$work/new/$1"
}

edit()	# ACTION PATH ANCHOR NEW
{
	ACTION=$1 ANCHOR=$3 NEW=$4 awk '
	BEGIN {
		anchor = ENVIRON["ANCHOR"]
		config = ENVIRON["ACTION"] ~ /config/
		if (config)
			anchor = "config " anchor
		text = ENVIRON["NEW"]
	}
	# A Kconfig block ends where the next line starts in the first column.
	/^[^ \t]/ { inside = 0 }
	$0 == anchor {
		found++
		inside = config
		if (text != "")
			print text (config ? "\n" : "")
		next
	}
	!inside
	END {
		if (found == 1)
			exit
		printf "%d times, not once: \"%s\"\n", found, anchor > "/dev/stderr"
		exit 1
	}' "$work/new/$2" > "$work/edited" 2> "$work/why" ||
		die "$2 has, $(cat "$work/why")"
	# Not mv: the copy in new/ has the mode of the original.
	cat "$work/edited" > "$work/new/$2"
}

# What this repository has below SRC, less what editors and builds leave.
files_of()
{
	(cd "$top" && find "$1" -type f ! -name '*~' ! -name '.*.sw?' \
		! -name '*.o' ! -name '*.ko' ! -name '*.mod' ! -name '*.mod.c' \
		! -name '.*.cmd' ! -name '*.symvers' ! -name 'modules.order' \
		! -path tools/mm/kmemleak/kmemleak | sort)
}

put_ours()	# SOURCE PATH
{
	mkdir -p "$work/new/$(dirname "$2")"
	mode=644
	[ -x "$top/$1" ] && mode=755
	install -m "$mode" "$top/$1" "$work/new/$2"
}

# Makes $work/new, the files as they shall be, $work/old, the kernel's own of
# those, and $work/want, lines KIND PATH with the kinds new, kept and gone.
stage()
{
	mkdir "$work/new" "$work/old"
	: > "$work/want"
	while IFS=$tab read -r action path argument; do
		case $action in
		remove)
			take_original "$path"
			rm "$work/new/$path"
			echo "gone $path" >> "$work/want"
			;;
		replace)
			[ -f "$top/$path" ] || die "the repository lacks $path"
			take_original "$path"
			put_ours "$path" "$path"
			echo "kept $path" >> "$work/want"
			;;
		add)
			source=${argument#from }
			[ -n "$source" ] || source=$path
			[ -e "$top/$source" ] || die "the repository lacks $source"
			files_of "$source" > "$work/files"
			while read -r file; do
				target=$path${file#"$source"}
				put_ours "$file" "$target"
				echo "new $target" >> "$work/want"
			done < "$work/files"
			;;
		drop-line | drop-config)
			take_original "$path"
			edit "$action" "$path" "$argument" ""
			echo "kept $path" >> "$work/want"
			;;
		change-line | change-config)
			take_original "$path"
			edit "$action" "$path" "${argument%% => *}" "${argument#* => }"
			echo "kept $path" >> "$work/want"
			;;
		*)
			die "overlay.tbl: unknown action $action"
			;;
		esac
	done < "$work/table"
	sort -u -o "$work/want" "$work/want"
}

# Refuses a tree in which a file of the manifest is neither as we left it, nor
# as it was before: somebody has work in there that would be lost.
check_unchanged()
{
	cut -d ' ' -f 3 "$state/manifest" | sort -u > "$work/paths"
	: > "$work/changed"
	while read -r path; do
		[ -f "$ksrc/$path" ] || continue
		sum=$(sum_of "$ksrc/$path")
		if grep -q -F -x -e "new $sum $path" -e "kept $sum $path" "$state/manifest"; then
			continue
		fi
		if [ -f "$state/orig/$path" ] && cmp -s "$state/orig/$path" "$ksrc/$path"; then
			continue
		fi
		echo "  $path" >> "$work/changed"
	done < "$work/paths"
	[ ! -s "$work/changed" ] ||
		die "changed since they were applied:
$(cat "$work/changed")
Move the changes elsewhere, or delete these files, and try again."
}

check_not_in_the_way()
{
	while read -r kind path; do
		if [ "$kind" = new ] && ! in_manifest new "$path" &&
		   { [ -e "$ksrc/$path" ] || [ -L "$ksrc/$path" ]; }; then
			die "$path is there already: is this tree changed by other means?"
		fi
	done < "$work/want"
}

# The manifest of the staged state, with the directories it needs.
make_manifest()
{
	while read -r kind path; do
		case $kind in
		gone)	echo "kept - $path" ;;
		*)	echo "$kind $(sum_of "$work/new/$path") $path" ;;
		esac
		dir=$(dirname "$path")
		while [ "$kind" = new ] && [ "$dir" != . ] &&
		      { [ ! -d "$ksrc/$dir" ] || in_manifest dir "$dir"; }; do
			echo "dir - $dir"
			dir=$(dirname "$dir")
		done
	done < "$work/want" | sort -u
}

write_manifest()	# FROM DIRECTORY
{
	cp "$1" "$2/manifest.tmp"
	mv -f "$2/manifest.tmp" "$2/manifest"
}

put()	# FROM PATH: new content for a file of the tree
{
	mkdir -p "$(dirname "$ksrc/$2")"
	cp -p "$1" "$state/incoming"
	# Not the time of the source: make must see that the file is another.
	touch "$state/incoming"
	mv -f "$state/incoming" "$ksrc/$2"
	echo "  $3 $2"
}

take_out()	# PATH
{
	if [ -f "$state/orig/$1" ]; then
		cmp -s "$state/orig/$1" "$ksrc/$1" || put "$state/orig/$1" "$1" restored
	elif [ -f "$ksrc/$1" ]; then
		rm -f "$ksrc/$1"
		echo "  removed $1"
	fi
}

remove_dirs()	# of the manifest FILE, deepest first
{
	sed -n 's/^dir - //p' "$1" | sort -r | while read -r dir; do
		[ -d "$ksrc/$dir" ] || continue
		rmdir "$ksrc/$dir" 2> /dev/null ||
			echo "  left $dir: it has files that are not ours"
	done
}

do_apply()
{
	rm -rf "$new_state" "$old_state"
	stage
	check_not_in_the_way
	[ ! -f "$state/manifest" ] || check_unchanged
	make_manifest > "$work/manifest"

	if [ ! -d "$state" ]; then
		mkdir "$new_state" "$new_state/orig"
		write_manifest "$work/manifest" "$new_state"
		(cd "$work/old" && tar -cf - .) | (cd "$new_state/orig" && tar -xpf -)
		mv "$new_state" "$state"
	else
		(cd "$work/old" && find . -type f) | while read -r path; do
			[ ! -f "$state/orig/$path" ] || continue
			mkdir -p "$state/orig/$(dirname "$path")"
			cp -p "$work/old/$path" "$state/incoming"
			mv -f "$state/incoming" "$state/orig/$path"
		done
		sort -u "$state/manifest" "$work/manifest" > "$work/both"
		write_manifest "$work/both" "$state"
	fi

	while read -r kind path; do
		if [ "$kind" = gone ]; then
			[ -f "$ksrc/$path" ] || continue
			rm -f "$ksrc/$path"
			echo "  removed $path"
		elif ! cmp -s "$work/new/$path" "$ksrc/$path" ||
		     [ "$(stat -c %a "$work/new/$path")" != "$(stat -c %a "$ksrc/$path")" ]; then
			put "$work/new/$path" "$path" wrote
		fi
	done < "$work/want" > "$work/done"

	# What an earlier state of the repository had put there.
	cut -d ' ' -f 2 "$work/want" | sort -u > "$work/wanted"
	awk '$1 != "dir" { print $3 }' "$state/manifest" | sort -u |
		comm -23 - "$work/wanted" > "$work/unwanted"
	while read -r path; do
		take_out "$path"
	done < "$work/unwanted" >> "$work/done"
	comm -23 "$state/manifest" "$work/manifest" > "$work/former"
	remove_dirs "$work/former" >> "$work/done"

	write_manifest "$work/manifest" "$state"
	while read -r path; do
		rm -f "$state/orig/$path"
	done < "$work/unwanted"

	if [ -s "$work/done" ]; then
		cat "$work/done"
		echo "applied to $ksrc (Linux $kver)"
	else
		echo "$ksrc (Linux $kver) is up to date"
	fi
}

do_unapply()
{
	# What a run before us had finished, but for its own clearing up.
	rm -rf "$new_state" "$old_state"
	[ -d "$state" ] || die "nothing is applied to $ksrc"
	check_unchanged
	awk '$1 != "dir" { print $3 }' "$state/manifest" | sort -u > "$work/paths"
	while read -r path; do
		take_out "$path"
	done < "$work/paths"
	remove_dirs "$state/manifest"
	# In one step: half a state directory would be worse than none.
	mv "$state" "$old_state"
	rm -rf "$old_state"
	echo "$ksrc is as it was"
}

# A commit in a repository that has only the files concerned.
do_patch()
{
	stage
	repo=$work/repo
	mkdir "$repo"
	name=$(git -C "$top" log -1 --format=%an 2> /dev/null) || name=kmemleak
	mail=$(git -C "$top" log -1 --format=%ae 2> /dev/null) || mail=kmemleak@localhost
	date=$(git -C "$top" log -1 --format=%aD 2> /dev/null) || date=$(date -R)
	# The user's own settings must not change what the patch looks like.
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
	export GIT_AUTHOR_NAME="$name" GIT_AUTHOR_EMAIL="$mail" GIT_AUTHOR_DATE="$date"
	export GIT_COMMITTER_NAME="$name" GIT_COMMITTER_EMAIL="$mail" GIT_COMMITTER_DATE="$date"

	git -C "$repo" init -q
	cp -Rp "$work/old/." "$repo"
	git -C "$repo" add -f -A
	git -C "$repo" commit -q -m "Linux $kver"
	find "$repo" -mindepth 1 -maxdepth 1 ! -name .git -exec rm -rf {} +
	cp -Rp "$work/new/." "$repo"
	git -C "$repo" add -f -A
	git -C "$repo" commit -q -F - <<-MESSAGE
	mm/kmemleak: replace the leak detector

	Take out mm/kmemleak.c and put the detector in mm/kmemleak/ in its
	place, with its header, documents and selftests. The function calls
	and the text interface stay as they are.
	MESSAGE
	mkdir -p "$(dirname "$1")"
	# A rename found by likeness would make the patch fail on a file that
	# differs in a line we do not care about.
	git -C "$repo" format-patch -1 --stdout --no-renames --unified=3 \
		--zero-commit --no-signature > "$1.tmp"
	mv -f "$1.tmp" "$1"
	echo "wrote $1 (Linux $kver)"
}

check_tree
read_table
case $command in
apply)		do_apply ;;
unapply)	do_unapply ;;
patch)		[ $# -eq 3 ] || usage
		do_patch "$3" ;;
*)		usage ;;
esac
