#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Puts the overlay into a kernel source, or takes it out again. What is done to
# which file stands in overlay.tbl.
#
# The tree is written to only after everything has been worked out and
# checked. A file is never written in place: its new content is made under
# $state and renamed over it, so that a tree of hard links (cp -al) leaves
# its copy alone and an interrupted run leaves every file whole. What is
# needed to go on from, or back after, an interruption is in $state before
# the first file changes.

set -eu

usage()
{
	cat >&2 <<-USAGE
	usage: $0 apply KSRC
	       $0 unapply KSRC
	USAGE
	exit 2
}

[ $# -eq 2 ] || usage
command=$1
. "$(dirname "$0")/overlay.sh"
use_source "$2"
new_state=$state.new
old_state=$state.old

# Of the paths in a file, those that the tree has.
there()	# FILE
{
	while read -r path; do
		[ ! -f "$ksrc/$path" ] || echo "$path"
	done < "$1"
}

# Lines SUM PATH and MODE PATH of the files whose paths are in a file.
sums_in()	# DIRECTORY FILE
{
	(cd "$1" && xargs -r -d '\n' sha256sum < "$2") | sed 's/  / /'
}

modes_in()	# DIRECTORY FILE
{
	(cd "$1" && xargs -r -d '\n' stat -c '%a %n' < "$2")
}

# Refuses a tree in which a file of the manifest is neither as we left it, nor
# as it was before: somebody has work in there that would be lost.
check_unchanged()
{
	cut -d ' ' -f 3 "$state/manifest" | sort -u > "$work/paths"
	there "$work/paths" > "$work/there"
	sed 's/^[a-z]* //' "$state/manifest" | sort > "$work/known"
	sums_in "$ksrc" "$work/there" | sort | comm -23 - "$work/known" |
	while read -r _ path; do
		if [ ! -f "$state/orig/$path" ] || ! cmp -s "$state/orig/$path" "$ksrc/$path"; then
			echo "  $path"
		fi
	done > "$work/changed"
	[ ! -s "$work/changed" ] ||
		die "changed since they were applied:
$(cat "$work/changed")
Move the changes elsewhere, or delete these files, and try again."
}

check_not_in_the_way()
{
	: > "$work/known"
	[ ! -f "$state/manifest" ] ||
		sed -n 's/^new [^ ]* //p' "$state/manifest" | sort > "$work/known"
	sed -n 's/^new //p' "$work/want" | sort | comm -23 - "$work/known" > "$work/paths"
	while read -r path; do
		if [ -e "$ksrc/$path" ] || [ -L "$ksrc/$path" ]; then
			die "$path is there already: is this tree changed by other means?"
		fi
	done < "$work/paths"
}

# The manifest of the staged state, with the directories it needs.
make_manifest()
{
	sed -n 's/^gone /kept - /p' "$work/want"
	for kind in new kept; do
		sed -n "s/^$kind //p" "$work/want" > "$work/paths"
		sums_in "$work/new" "$work/paths" | sed "s/^/$kind /"
	done
	sed -n 's/^new //p' "$work/want" | while read -r path; do
		parent_of "$path"
		echo "$parent"
	done | sort -u | while read -r dir; do
		while [ "$dir" != . ] && { [ ! -d "$ksrc/$dir" ] || in_manifest dir "$dir"; }; do
			echo "dir - $dir"
			parent_of "$dir"
			dir=$parent
		done
	done
}

write_manifest()	# FROM DIRECTORY
{
	cp "$1" "$2/manifest.tmp"
	mv -f "$2/manifest.tmp" "$2/manifest"
}

put()	# FROM PATH: new content for a file of the tree
{
	parent_of "$2"
	[ -d "$ksrc/$parent" ] || mkdir -p "$ksrc/$parent"
	# Not the time of the source: make must see that the file is another.
	cp --preserve=mode,ownership "$1" "$state/incoming"
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

# Files that the tree has not, or not like that.
other_than_wanted()
{
	sed -n '/^gone /!s/^[a-z]* //p' "$work/want" > "$work/paths"
	there "$work/paths" > "$work/there"
	{
		sums_in "$ksrc" "$work/there"
		modes_in "$ksrc" "$work/there"
	} | sort > "$work/known"
	{
		sums_in "$work/new" "$work/paths"
		modes_in "$work/new" "$work/paths"
	} | sort | comm -23 - "$work/known" | cut -d ' ' -f 2- | sort -u
}

do_apply()
{
	rm -rf "$new_state" "$old_state"
	start_stage
	stage "$work/steps"
	check_not_in_the_way
	[ ! -f "$state/manifest" ] || check_unchanged
	make_manifest | sort -u > "$work/manifest"

	if [ ! -d "$state" ]; then
		mkdir "$new_state" "$new_state/orig"
		write_manifest "$work/manifest" "$new_state"
		(cd "$work/old" && tar -cf - .) | (cd "$new_state/orig" && tar -xpf -)
		mv "$new_state" "$state"
	else
		(cd "$work/old" && find . -type f) | while read -r path; do
			[ ! -f "$state/orig/$path" ] || continue
			parent_of "$path"
			mkdir -p "$state/orig/$parent"
			cp -p "$work/old/$path" "$state/incoming"
			mv -f "$state/incoming" "$state/orig/$path"
		done
		sort -u "$state/manifest" "$work/manifest" > "$work/both"
		write_manifest "$work/both" "$state"
	fi

	sed -n 's/^gone //p' "$work/want" > "$work/paths"
	there "$work/paths" | while read -r path; do
		rm -f "$ksrc/$path"
		echo "  removed $path"
	done > "$work/done"
	other_than_wanted > "$work/other"
	while read -r path; do
		put "$work/new/$path" "$path" wrote
	done < "$work/other" >> "$work/done"

	# Files that an earlier state of the repository had put there.
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
	# An earlier run may have finished, but for its own clearing up.
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

check_tree
read_table
case $command in
apply)		check_known
		do_apply ;;
unapply)	do_unapply ;;
*)		usage ;;
esac
