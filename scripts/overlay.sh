# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # what is set here is for the scripts that source it
#
# Works out what overlay.tbl does to a kernel source, without changing it. To be
# sourced after `set -eu`, with $command, a name for messages.

die()
{
	echo "$command: $*" >&2
	exit 1
}

# use_source DIR: sets what the rest goes by.
use_source()
{
	[ -d "$1" ] || die "$1 is no directory"
	ksrc=$(cd "$1" && pwd)
	top=$(cd "$(dirname "$0")/.." && pwd)
	tab=$(printf '\t')

	# In the tree itself, so that a rename from there never crosses a file system.
	# state/orig/PATH is the kernel's own file; state/manifest has lines
	#   new SUM PATH     our file, which the kernel has not
	#   kept SUM PATH    the kernel's file, changed or replaced (SUM -: removed)
	#   dir - PATH       a directory that was made for our files
	# and, while files are being changed, the lines of before and after.
	state=$ksrc/.kmemleak-overlay

	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

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

# Makes $work/steps of the rows of overlay.tbl for this kernel: PATCH, ACTION,
# PATH and ARGUMENT, tabs between, with a line for each file that is added.
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
	/^#/ || /^[ \t]*$/ || $1 == "tested" { next }
	is_within($1) {
		argument = $0
		for (i = 1; i <= 4; i++)
			sub(/^[^ \t]+[ \t]*/, "", argument)
		printf "%s\t%s\t%s\t%s\n", $2, $3, $4, argument
	}' "$top/scripts/overlay.tbl" > "$work/table"
	[ -s "$work/table" ] || die "no support for Linux $kver"

	while IFS=$tab read -r patch action path argument; do
		if [ "$action" != add ]; then
			printf '%s\t%s\t%s\t%s\n' "$patch" "$action" "$path" "$argument"
			continue
		fi
		source=${argument#from }
		[ -n "$source" ] || source=$path
		[ -e "$top/$source" ] || die "the repository lacks $source"
		files_of "$source" | while read -r file; do
			printf '%s\tadd\t%s\t%s\n' "$patch" "$path${file#"$source"}" "$file"
		done
	done < "$work/table" > "$work/steps"
}

# Names with comments left out: functions and macros of a header of ours, or of the
# kernel's.
declared_in()	# FILE
{
	sed -e 's|/\*.*\*/||' -e '\|/\*|,\|\*/|d' "$1" |
		grep -o -E '\<kmemleak_[a-z0-9_]+[[:space:]]*\(' | tr -d '( \t' | sort -u
}

# Refuses a tree that has not been tested, and one whose users of the detector have, or
# whose configuration has, what would be lost. To be called before anything is written.
check_known()
{
	known=$(sed -n 's/^tested //p' "$top/scripts/overlay.tbl")
	case " $known " in
	*" $kver "*)	;;
	*)	[ "${FORCE:-}" = 1 ] ||
			die "Linux $kver has not been tested; these have been: $known
FORCE=1 takes it all the same." ;;
	esac

	header=include/linux/kmemleak.h
	from=$(original $header)
	if [ -z "$from" ] || [ ! -f "$from" ]; then
		die "$header is not there: is this tree changed already?"
	fi
	declared_in "$from" > "$work/theirs"
	declared_in "$top/$header" > "$work/ours"
	comm -23 "$work/theirs" "$work/ours" | sed 's/$/()/' > "$work/lost"

	(cd "$ksrc" && find mm lib -name 'Kconfig*' -type f ! -path 'mm/kmemleak/*') |
	while read -r file; do
		from=$(original "$file")
		[ -z "$from" ] || sed -n 's/^config \(DEBUG_KMEMLEAK[A-Z0-9_]*\)$/\1/p' "$from"
	done | sort -u > "$work/theirs"
	{
		(cd "$top" && cat Kconfig mm/kmemleak/tests/Kconfig) | sed -n 's/^config //p'
		awk -F "$tab" '$2 == "keep-config" { print $4 }' "$work/steps"
	} | sort -u > "$work/ours"
	comm -23 "$work/theirs" "$work/ours" >> "$work/lost"
	[ ! -s "$work/lost" ] || die "the detector of this tree has what this one lacks:
$(sed 's/^/  /' "$work/lost")"
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

# Sets $parent. A program for each of some hundred files would take seconds.
parent_of()	# PATH
{
	case $1 in
	*/*)	parent=${1%/*} ;;
	*)	parent=. ;;
	esac
}

# The kernel's file, to be changed: once for all rows that name it.
take_original()
{
	[ ! -f "$work/new/$1" ] || return 0
	from=$(original "$1")
	if [ -z "$from" ] || [ ! -f "$from" ]; then
		die "$1 is not there: is this tree changed already?"
	fi
	[ ! -L "$ksrc/$1" ] || die "$1 is a symbolic link"
	parent_of "$1"
	mkdir -p "$work/old/$parent" "$work/new/$parent"
	cp -p "$from" "$work/old/$1"
	cp -p "$from" "$work/new/$1"
}

edit()	# ACTION PATH ANCHOR NEW
{
	ACTION=$1 ANCHOR=$3 NEW=$4 awk '
	BEGIN {
		anchor = ENVIRON["ANCHOR"]
		config = ENVIRON["ACTION"] ~ /config/
		keep = ENVIRON["ACTION"] ~ /^add/
		if (config)
			anchor = "config " anchor
		nr = split(anchor, part, / \\n /)
		anchor = part[nr]
		text = ENVIRON["NEW"]
		indented = match(text, /^(\\t)+/)
		for (tabs = ""; text ~ /^\\t/; text = substr(text, 3))
			tabs = tabs "\t"
	}
	# Lines of the table have lost what indents and aligns them.
	{
		line = $0
		indent = ""
		if (!config && match(line, /^\t+ */)) {
			indent = substr(line, 1, RLENGTH)
			line = substr(line, RLENGTH + 1)
		}
	}
	# A Kconfig block ends where the next line starts in the first column.
	/^[^ \t]/ { inside = 0 }
	line == anchor && (nr == 1 || before == part[1]) {
		found++
		inside = config
		before = line
		if (keep)
			print
		if (ENVIRON["ACTION"] == "add-text")
			while ((getline line < text) > 0)
				print line
		else if (text != "")
			print (indented ? tabs : indent) text (config ? "\n" : "")
		next
	}
	line != "" { before = line }
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

# Files of this repository below SRC, without those of editors and builds.
files_of()
{
	(cd "$top" && find "$1" -type f ! -name '*~' ! -name '.*.sw?' \
		! -name '*.o' ! -name '*.ko' ! -name '*.mod' ! -name '*.mod.c' \
		! -name '.*.cmd' ! -name '*.symvers' ! -name 'modules.order' \
		! -path tools/mm/kmemleak/kmemleak | sort)
}

put_ours()	# SOURCE PATH
{
	mode=644
	[ ! -x "$top/$1" ] || mode=755
	install -D -m "$mode" "$top/$1" "$work/new/$2"
}

# All that have the same name there, at once.
put_list()	# FILE with a PATH in each line
{
	# Not in a pipe, which would go on without what cannot be read.
	tar -C "$top" --mode=u=rwX,go=rX -cf "$1.tar" -T "$1"
	tar -C "$work/new" --no-same-owner -xpf "$1.tar"
}

start_stage()
{
	rm -rf "$work/new" "$work/old"
	mkdir "$work/new" "$work/old"
	: > "$work/want"
}

# stage STEPS: does them in $work/new, which has the files as they shall be. Beside
# it are $work/old, the kernel's own of those, and $work/want, lines KIND PATH with
# the kinds new, kept and gone.
stage()
{
	: > "$work/list"
	while IFS=$tab read -r patch action path argument; do
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
			if [ "$argument" = "$path" ]; then
				echo "$path" >> "$work/list"
			else
				put_ours "$argument" "$path"
			fi
			echo "new $path" >> "$work/want"
			;;
		keep-config)
			;;
		drop-line | drop-config)
			take_original "$path"
			edit "$action" "$path" "$argument" ""
			echo "kept $path" >> "$work/want"
			;;
		add-line | change-line | change-config)
			take_original "$path"
			edit "$action" "$path" "${argument%% => *}" "${argument#* => }"
			echo "kept $path" >> "$work/want"
			;;
		add-text)
			[ -f "$top/${argument#* => }" ] || die "the repository lacks ${argument#* => }"
			take_original "$path"
			edit "$action" "$path" "${argument%% => *}" "$top/${argument#* => }"
			echo "kept $path" >> "$work/want"
			;;
		*)
			die "overlay.tbl: unknown action $action"
			;;
		esac
	done < "$1"
	put_list "$work/list"
	sort -u -o "$work/want" "$work/want"
}

