#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests the command-line tool on this machine, with reports that were recorded:
# what it makes of them, and how it behaves on a terminal. The selftest
# test_tool.sh has it work with a detector.

set -eu
. "$(dirname "$0")/lib.sh"

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The sanitizers must not end with a status that the tool has. What memory is in use
# at its end is no leak.
export ASAN_OPTIONS=detect_leaks=0:exitcode=99 UBSAN_OPTIONS=exitcode=99

source=$top/tools/mm/kmemleak
tool=${KMEMLEAK_TOOL:-$work/kmemleak}

build_native()
{
	make -s -C "$source" OUTPUT="$work/" LDFLAGS="-fsanitize=address,undefined" \
		CFLAGS="-g -O1 -Werror -fsanitize=address,undefined -fno-sanitize-recover=all"
}

build_static()
{
	make -s -C "$source" OUTPUT="$work/arm64-" CROSS_COMPILE=aarch64-linux-gnu- \
		LDFLAGS=-static CFLAGS="-O2 -Werror"
	readelf -h "$work/arm64-kmemleak" | grep -q AArch64
	! readelf -d "$work/arm64-kmemleak" | grep -q NEEDED
}

# kml STATUS ARGUMENT...: the tool has to end with this status. What it says goes
# to files.
kml()
{
	want=$1
	shift
	got=0
	"$tool" "$@" > "$work/out" 2> "$work/err" < /dev/null || got=$?
	[ "$got" = "$want" ] && return
	echo "kmemleak $*: status $got, not $want"
	cat "$work/out" "$work/err"
	return 1
}

says()	# PATTERN: the answer does
{
	grep -q -e "$1" "$work/out" && return
	echo "does not say: $1"
	cat "$work/out"
	return 1
}

complains()	# PATTERN
{
	grep -q -e "$1" "$work/err" && return
	echo "does not complain: $1"
	cat "$work/err"
	return 1
}

says_not()	# PATTERN
{
	! grep -e "$1" "$work/out" || return 1
}

quiet()
{
	[ ! -s "$work/err" ] && return
	cat "$work/err"
	return 1
}

# A directory with the report of standard input.
save()
{
	rm -rf "$work/saved"
	mkdir "$work/saved"
	cat > "$work/saved/kmemleak"
}

json()	# EXPRESSION of d, the answer's JSON, which is true
{
	python3 - "$work/out" "$1" <<-PYTHON
	import json, sys
	d = json.load(open(sys.argv[1], encoding="utf-8"))
	if not eval(sys.argv[2]):
	    print("not so:", sys.argv[2], "in", json.dumps(d)[:2000])
	    sys.exit(1)
	PYTHON
}

csv()	# EXPRESSION of rows, the answer's CSV, which is true
{
	python3 - "$work/out" "$1" <<-PYTHON
	import csv, sys
	rows = list(csv.DictReader(open(sys.argv[1], newline="", encoding="ascii"), strict=True))
	if not eval(sys.argv[2]):
	    print("not so:", sys.argv[2], "in", rows[:10])
	    sys.exit(1)
	PYTHON
}

record()	# ADDRESS SIZE COMM FRAME...
{
	printf 'unreferenced object 0x%s (size %s):\n' "$1" "$2"
	printf '  comm "%b", pid 7, jiffies 42\n' "$3"
	printf '  hex dump (first 4 bytes):\n    00 01 02 03  ....\n  backtrace (crc 1f):\n'
	shift 3
	printf '    %s\n' "$@"
}

test_report_of_this_detector()
{
	save < "$here/test-tool/ours.txt"
	kml 1 scan --debugfs "$work/saved"
	quiet
	says '^5 leaks, 4056 bytes, from 3 places$'
	says '^2048 bytes in 1 object, allocated by "insmod"$'
	says '^984 bytes in 3 objects, allocated by "init"$'
	says '^    leaky_probe+0x3c/0xb8 \[kmemleak_leaky\]$'
	kml 1 scan --json --debugfs "$work/saved"
	json 'd["leaks"] == 5 and d["bytes"] == 4056 and d["places"] == len(d["groups"]) == 3'
	json '[g["bytes"] for g in d["groups"]] == [2048, 1024, 984]'
	json 'd["groups"][0]["site"] == "leaky_probe+0x3c/0xb8 [kmemleak_leaky]"'
	json 'sum(o["size"] for g in d["groups"] for o in g["objects"]) == 4056'
	json 'all(o["crc"] >= 0 and o["pid"] > 0 for g in d["groups"] for o in g["objects"])'
	kml 1 scan --csv --debugfs "$work/saved"
	csv '[int(r["bytes"]) for r in rows] == [2048, 1024, 984]'
	csv 'rows[0]["trace"].startswith("__kmalloc_cache_noprof+")'
	csv 'rows[2]["comms"] == "init" and rows[2]["objects"] == "3"'
}

# In a guest with the unmodified source's kernel the tool read this report, and gave
# this answer.
test_report_of_the_older_detector()
{
	save < "$here/test-tool/peer.txt"
	kml 1 scan --json --debugfs "$work/saved"
	quiet
	cmp "$work/out" "$here/test-tool/peer.json"
	json 'd["leaks"] == 18 and d["places"] == 6 and d["groups"][4]["count"] == 3'
	json 'd["groups"][4]["site"] == "device_add+0x37c/0x6b8"'
	json 'd["direct"] is None and d["groups"][0]["indirect"] is None'
	kml 1 scan --debugfs "$work/saved"
	says '^18 leaks, 25392 bytes, from 6 places$'
	kml 1 scan --csv --debugfs "$work/saved"
	csv 'len(rows) == 6 and {r["direct"] + r["indirect"] + r["held_by"] for r in rows} == {""}'
}

# A lost device, with what hangs from it, and an object that has nothing to do with it.
save_device()
{
	save < "$here/test-tool/device.txt"
	mkdir "$work/saved/kmemleak_info"
	cp "$here/test-tool/device.json" "$work/saved/kmemleak_info/leaks.json"
}

test_direct_and_indirect_leaks()
{
	save_device
	kml 1 scan --debugfs "$work/saved"
	quiet
	says '^4 leaks, 2320 bytes, from 4 places; 2 direct, 2 indirect$'
	says '^1024 bytes in 1 object, allocated by "insmod"$'
	says '^16 bytes in 1 object, 0 direct, 1 indirect, allocated by "insmod"$'
	says '^  held by 0xffff000000f8ec00 of leaky_device_create+0x20/0x84 \[kmemleak_leaky\]$'
	kml 1 scan --json --debugfs "$work/saved"
	json '(d["direct"], d["indirect"]) == (2, 2)'
	json '[(g["direct"], g["indirect"]) for g in d["groups"]] == [(1, 0), (1, 0), (0, 1), (0, 1)]'
	json '[g["objects"][0]["cache"] for g in d["groups"]] == ["kmalloc-1k", "kmalloc-1k",
		"kmalloc-256", "kmalloc-16"]'
	json 'd["groups"][3]["objects"][0]["held_by"] == d["groups"][0]["objects"][0]["address"]'
	json 'd["groups"][0]["objects"][0]["held_by"] is None'
	json '{(o["kind"], o["direct"]) for o in d["groups"][2]["objects"]} == {("slab", False)}'
	json 'd["groups"][1]["objects"][0]["age_ms"] == 1750'
	kml 1 scan --csv --debugfs "$work/saved"
	csv '[r["direct"] + r["indirect"] for r in rows] == ["10", "10", "01", "01"]'
	csv 'rows[3]["held_by"].startswith("leaky_device_create+") and not rows[0]["held_by"]'
	# What hangs from others comes last, however large it is.
	sed -i 's/(size 16)/(size 16000)/' "$work/saved/kmemleak"
	sed -i 's/"size":16,/"size":16000,/' "$work/saved/kmemleak_info/leaks.json"
	kml 1 scan --json --debugfs "$work/saved"
	json '[g["bytes"] for g in d["groups"]] == [1024, 1024, 16000, 256]'
}

# Leaks come and go between the two files: what is in one of them only is not taken
# for anything else.
test_details_of_other_leaks()
{
	save_device
	sed -i 's/"size":256,/"size":128,/; /"size":16,/d' "$work/saved/kmemleak_info/leaks.json"
	sed -n 's/"0xffff000000f8f400"/"0xffff000000000010"/p' "$here/test-tool/device.json" \
		>> "$work/saved/kmemleak_info/leaks.json"
	kml 1 scan --json --debugfs "$work/saved"
	quiet
	json '[g["objects"][0]["direct"] for g in d["groups"]] == [True, True, None, None]'
	json '(d["direct"], d["indirect"]) == (2, 0)'
	: > "$work/saved/kmemleak_info/leaks.json"
	kml 1 scan --json --debugfs "$work/saved"
	quiet
	json '(d["direct"], d["indirect"]) == (0, 0)'
}

# Of thousands of damaged lines as many are taken as another reader takes.
test_damaged_details()
{
	save_device
	details=$work/saved/kmemleak_info/leaks.json
	python3 "$here/test-tool/lines.py" "$here/test-tool/device.json" \
		> "$details" 2> "$work/bad"
	[ "$(cat "$work/bad")" -gt 10000 ]
	[ "$(wc -l < "$details")" -gt $(($(cat "$work/bad") + 2000)) ]
	kml 1 scan --json --debugfs "$work/saved"
	complains "leaks.json: $(cat "$work/bad") lines are not understood"
	json 'd["leaks"] == 4'
	head -c 100000 /dev/urandom > "$details"
	kml 1 scan --json --debugfs "$work/saved"
	complains 'leaks.json: [0-9]* lines are not understood'
	json 'd["leaks"] == 4 and d["indirect"] == 0'
	rm "$details"
	mkdir "$details"
	kml 1 scan --debugfs "$work/saved"
	complains 'leaks.json: Is a directory'
}

test_report_of_old_kernels()
{
	save <<-REPORT
	unreferenced object 0xffff8881 (size 64):
	  comm "a b", pid 1, jiffies 4294892667 (age 12.340s)
	  hex dump (first 32 bytes):
	    00 00  ..
	  backtrace:
	    [<00000000abcdef01>] kmalloc+0x10/0x20
	    [<00000000abcdef02>] probe+0x10/0x20 [drv]
	REPORT
	kml 1 scan --json --debugfs "$work/saved"
	quiet
	json 'd["groups"][0]["site"] == "probe+0x10/0x20 [drv]"'
	json 'd["groups"][0]["objects"][0]["comm"] == "a b"'
}

# They say what an object is where it begins.
test_report_of_new_kernels()
{
	record ffff1 64 one alloc+0x1/0x2 first+0x1/0x2 > "$work/whole"
	record 4f20 8 two alloc+0x1/0x2 second+0x1/0x2 |
		sed 's/^\(unreferenced object\) \(.*\)/\1 (percpu) \2/; s/(first 4 bytes/& on cpu 0/' \
		>> "$work/whole"
	record ffff3 32 three alloc+0x1/0x2 third+0x1/0x2 |
		sed 's/^unreferenced object/& (phys)/' >> "$work/whole"
	save < "$work/whole"
	kml 1 scan --json --debugfs "$work/saved"
	quiet
	json 'd["leaks"] == 3 and d["bytes"] == 104'
	json 'sorted(o["address"] for g in d["groups"] for o in g["objects"]) == ["0x4f20", "0xffff1", "0xffff3"]'
	json '[o["address"] for g in d["groups"] for o in g["objects"] if o["percpu"]] == ["0x4f20"]'
}

# What is of another kind is in no group with others, even if all frames are the same, and
# its address is that of another one.
test_kinds_apart()
{
	for kind in '' ' (percpu)' ' (phys)' ' (cma area)'; do
		record 4f20 8 one alloc+0x1/0x2 same+0x1/0x2 | sed "s/^unreferenced object/&$kind/"
	done | save
	kml 1 scan --json --debugfs "$work/saved"
	quiet
	json '[g["count"] for g in d["groups"]] == [1, 1, 1, 1]'
	json '{o["space"] for g in d["groups"] for o in g["objects"]} == {"virtual", "percpu",
		"phys", "cma area"}'
	kml 1 scan --debugfs "$work/saved"
	says '^  at 0x4f20$'
	says '^  at 0x4f20 (per CPU)$'
	says '^  at 0x4f20 (physical)$'
	says '^  at 0x4f20 (cma area)$'
	kml 0 watch -c 1 --debugfs "$work/saved"
	[ "$(grep -c 'new leak' "$work/out")" = 4 ]
}

# A copy by scp is empty, as debugfs says that its files are.
test_empty_report()
{
	for file in "$work/saved" "$work/saved/kmemleak"; do
		save < /dev/null
		kml 3 scan --debugfs "$file"
		complains 'kmemleak is empty, as a copy by scp is: use ssh and cat'
		[ ! -s "$work/out" ]
		kml 0 scan --empty-is-clean --debugfs "$file"
		quiet
		says '^no leaks$'
	done
	kml 0 scan --empty-is-clean --json --debugfs "$work/saved"
	json 'd["leaks"] == 0 and d["groups"] == []'
	kml 0 scan --empty-is-clean --csv --debugfs "$work/saved"
	csv 'rows == []'
	kml 3 watch -c 1 --debugfs "$work/saved"
	kml 2 run --empty-is-clean -- true
}

# What is in front of each line of the report in one log or the other.
LOG_PREFIXES='[   12.345678] kmemleak: |<4>[   12.3][  T123] kmemleak: |[Sun Nov 29 06:10:07 2026] kmemleak: |Nov 29 06:10:07 board kernel: [   12.3] kmemleak: |Nov 29 06:10:07 board kernel: kmemleak: |kmemleak: '

logged()	# PREFIX: standard input as a log has it, with lines of others in between
{
	awk -v prefix="$1" '
	BEGIN {
		print prefix "Kernel memory leak detector initialized (mem pool available: 15881)"
		print "[    1.000000] Run /init as init process"
	}
	{ print prefix $0 }
	NR % 3 == 0 { print "[   12.345679] eth0: link is up" }
	END { print prefix "2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)" }'
}

test_log()
{
	{
		record ffff1 64 'a b' kmalloc+0x1/0x2 'first+0x1/0x2 [mod]'
		record ffff2 32 two kmalloc+0x1/0x2 second+0x1/0x2
		echo "  ... and 3 more object(s) with the same backtrace"
		record 4f20 8 three kmalloc+0x1/0x2 second+0x1/0x2 |
			sed 's/(first 4 bytes/& on cpu 0/'
	} > "$work/whole"
	echo "$LOG_PREFIXES" | tr '|' '\n' | while IFS= read -r prefix; do
		logged "$prefix" < "$work/whole" | save
		for file in "$work/saved" "$work/saved/kmemleak"; do
			kml 1 scan --json --debugfs "$file"
			quiet
			json 'd["leaks"] == 3 and d["bytes"] == 104 and d["more"] == 3'
			json '[(g["count"], g["more"], g["site"]) for g in d["groups"]] == [
				(1, 0, "first+0x1/0x2 [mod]"), (1, 3, "second+0x1/0x2"),
				(1, 0, "second+0x1/0x2")]'
			json 'd["groups"][0]["objects"][0]["comm"] == "a b"'
			json 'd["groups"][2]["objects"][0]["space"] == "percpu"'
		done
		# As a serial console has it.
		sed -i 's/$/\r/' "$work/saved/kmemleak"
		kml 1 scan --debugfs "$work/saved"
		quiet
		says '^3 leaks, 104 bytes, from 3 places, and 3 more in short$'
		says '^32 bytes in 1 object, 3 more that the log has in short, allocated by "two"$'
	done
}

# A console has the log, and what somebody had it print: the same leaks count once. A
# leak at the same place at another time is another one.
test_log_with_a_report_in_it()
{
	record ffff1 64 one alloc+0x1/0x2 first+0x1/0x2 > "$work/whole"
	record ffff2 32 two alloc+0x1/0x2 second+0x1/0x2 >> "$work/whole"
	{
		logged '[   12.345678] kmemleak: ' < "$work/whole"
		echo '# cat /sys/kernel/debug/kmemleak'
		cat "$work/whole"
		record ffff3 16 three alloc+0x1/0x2 second+0x1/0x2
		record ffff1 64 one alloc+0x1/0x2 first+0x1/0x2 | sed 's/jiffies 42/jiffies 43/'
		logged '[   12.345678] kmemleak: ' < "$work/whole"
	} | save
	kml 1 scan --json --debugfs "$work/saved"
	quiet
	json 'd["leaks"] == 4 and d["bytes"] == 176'
}

# A log that does not have a leak need not be of a kernel that has none.
test_log_without_a_leak()
{
	echo '[    1.000000] kmemleak: Kernel memory leak detector initialized' | save
	kml 3 scan --debugfs "$work/saved"
	complains 'has no record: was there a scan?'
	kml 0 scan --empty-is-clean --debugfs "$work/saved"
	says '^no leaks$'
	echo '[    1.000000] Run /init as init process' | save
	kml 3 scan --empty-is-clean --debugfs "$work/saved"
	complains 'is neither a report nor a log'
	record ffff1 64 one alloc+0x1/0x2 first+0x1/0x2 | head -n 3 | sed 's/^/kmemleak: /' | save
	kml 1 scan --debugfs "$work/saved"
	complains '1 records are not complete'
}

# Cut off anywhere: as many records as have a first line, and no crash.
test_truncated_report()
{
	record ffff1 64 one alloc+0x1/0x2 first+0x1/0x2 > "$work/whole"
	record ffff2 32 two alloc+0x1/0x2 second+0x1/0x2 >> "$work/whole"
	len=$(wc -c < "$work/whole")
	for bytes in $(seq 1 7 "$len") $((len - 1)); do
		head -c "$bytes" "$work/whole" | save
		lines=$(wc -l < "$work/saved/kmemleak")
		# A record has seven lines.
		leaks=$(((lines + 6) / 7))
		if [ $leaks = 0 ]; then
			kml 3 scan --json --debugfs "$work/saved"
			complains 'is neither a report nor a log'
			continue
		fi
		kml 1 scan --json --debugfs "$work/saved"
		json "d['leaks'] == $leaks"
	done
	complains '1 records are not complete'
	json '"first+0x1/0x2" in str(d) and "second" not in str(d)'
}

test_garbage()
{
	head -c 100000 /dev/urandom | save
	for options in '' --empty-is-clean '--json --no-scan'; do
		# shellcheck disable=SC2086
		kml 3 scan $options --debugfs "$work/saved"
		complains 'kmemleak is neither a report nor a log'
		[ ! -s "$work/out" ]
	done
	rm "$work/saved/kmemleak"
	mkdir "$work/saved/kmemleak"
	kml 3 scan --debugfs "$work/saved"
	complains 'Is a directory'
	save < /dev/null
	{
		echo "unreferenced object 0xnothing (size):"
		echo "    frame+0x1/0x2"
		record ffff1 64 one first+0x1/0x2
		echo
		echo "  something new: 1"
		record ffff2 64 one first+0x1/0x2
	} > "$work/saved/kmemleak"
	kml 1 scan --debugfs "$work/saved"
	complains ': 4 lines are not understood'
	says '^2 leaks, 128 bytes, from 1 place$'
}

test_many_records()
{
	awk 'BEGIN {
		for (i = 0; i < 10000; i++) {
			printf "unreferenced object 0xffff%08x (size %d):\n", i * 256, 64 + i % 3
			printf "  comm \"task%d\", pid %d, jiffies %d\n", i % 11, i, i
			print "  hex dump (first 0 bytes):\n  backtrace (crc 0):"
			print "    __kmalloc_noprof+0x10/0x20"
			printf "    place%d+0x10/0x20 [drv]\n", i % 1000
		}
	}' | save
	kml 1 scan --json --debugfs "$work/saved"
	quiet
	json 'd["leaks"] == 10000 and d["places"] == 1000'
	json 'd["bytes"] == sum(64 + i % 3 for i in range(10000))'
	json 'len({o["address"] for g in d["groups"] for o in g["objects"]}) == 10000'
	json 'd["groups"] == sorted(d["groups"], key=lambda g: -g["bytes"])'
	kml 1 scan --csv -n 7 --debugfs "$work/saved"
	csv 'len(rows) == 7'
	kml 1 scan -n 2 --debugfs "$work/saved"
	says '^10000 leaks, '
	says '^\.\.\. and 998 more places$'
	says ', \.\.\.$'
}

test_hostile_names()
{
	{
		record ffff1 10 'e\033[2Jsc' f+0x1/0x2
		record ffff2 20 'q", pid 99, jif' f+0x1/0x2
		record ffff3 30 'a\n  backtrace' f+0x1/0x2
		record ffff4 40 '\377\376\303\251\\\\"' f+0x1/0x2
		record ffff5 50 'a,b;"c"' f+0x1/0x2
		record ffff6 60 'n\000l' f+0x1/0x2
		record ffff7 70 '' f+0x1/0x2
	} | save
	kml 1 scan --json --debugfs "$work/saved"
	quiet
	json 'd["leaks"] == 7 and d["bytes"] == 280 and d["places"] == 1'
	json '{o["pid"] for g in d["groups"] for o in g["objects"]} <= {7, 0}'
	json '[o["comm"] for o in d["groups"][0]["objects"]][:5] == ["e\x1b[2Jsc",
		"q\", pid 99, jif", "a\n  backtrace", "\xff\xfe\xe9\\\\\"", "a,b;\"c\""]'
	kml 1 scan --csv --debugfs "$work/saved"
	csv 'len(rows) == 1 and "\\x1b[2J" in rows[0]["comms"] and "a,b;\"c\"" in rows[0]["comms"]'
	kml 1 scan --debugfs "$work/saved"
	if LC_ALL=C grep '[^[:print:]]' "$work/out"; then
		return 1
	fi
	says 'x1b\[2J'
	says '"q\\", pid 99, jif", '
	says ', "a,b;\\"c\\"", '
	says '\\\\\\"", '
}

# As the kernel prints them, in octal, or as they are; as bytes where the locale has no
# UTF-8. A character that a terminal does not just show is never shown.
test_names_in_other_scripts()
{
	{
		record ffff1 10 '\\303\\251t\\303\\251' f+0x1/0x2
		record ffff2 20 '\303\244\346\274\242\360\237\230\200' g+0x1/0x2
		record ffff3 30 'a\\342\\200\\256b\\302\\233' h+0x1/0x2
		record ffff4 40 '\\303(\\n\\377\\12' i+0x1/0x2
	} | save
	kml 1 scan --json --debugfs "$work/saved"
	quiet
	json '[g["objects"][0]["comm"] for g in d["groups"]] == ["\\303(\\n\\377\\12",
		"a\u202eb\x9b", "\xe4\u6f22\U0001f600", "\xe9t\xe9"]'
	for locale in C.UTF-8 de_DE.utf8; do
		LC_ALL=$locale kml 1 scan --debugfs "$work/saved"
		LC_ALL=C says "allocated by \"$(printf '\303\251t\303\251')\"\$"
		LC_ALL=C says "allocated by \"$(printf '\303\244\346\274\242\360\237\230\200')\"\$"
		says 'allocated by "a\\xe2\\x80\\xaeb\\xc2\\x9b"$'
	done
	for locale in C POSIX de_DE.ISO-8859-1 ''; do
		LC_ALL=$locale LC_CTYPE='' LANG=C kml 1 scan --debugfs "$work/saved"
		says 'allocated by "\\xc3\\xa9t\\xc3\\xa9"$'
	done
	LC_ALL='' LC_CTYPE='' LANG=C.UTF-8 kml 1 scan --debugfs "$work/saved"
	LC_ALL=C says "$(printf '\303\251')"
	kml 1 scan --csv --debugfs "$work/saved"
	csv 'rows[3]["comms"] == "\\xc3\\xa9t\\xc3\\xa9"'
}

test_content()
{
	save_device
	kml 1 scan --debugfs "$work/saved"
	says '^  content e0 2d db 02 00 00 ff ff 08 ec f8 00 00 00 ff ff  \.-\.*$'
	says '^  content 6b 6d 65 6d 6c 65 61 6b 5f 6c 65 61 6b 79 00 00  kmemleak_leaky\.\.$'
	kml 1 scan --json --debugfs "$work/saved"
	json '[o["content_text"] for g in d["groups"] for o in g["objects"]][3] == "kmemleak_leaky.."'
	json 'all(len(bytes.fromhex(o["content"])) == min(o["size"], 32) == len(o["content_text"])
		for g in d["groups"] for o in g["objects"])'
	kml 1 scan --csv --debugfs "$work/saved"
	csv 'bytes.fromhex(rows[3]["content"]) == b"kmemleak_leaky\0\0"'
	# One that is cut off, or that says less than it has.
	for bytes in 0 1 15 16 17 32 40; do
		{
			record ffff1 64 one f+0x1/0x2 | sed "/^    00/,\$d; s/first 4/first $bytes/"
			echo '    41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f 50  ABCDEFGHIJKLMNOP'
			echo '    61 62 63 64 65 66 67 68 69 6a 6b 6c 6d 6e 6f 70  abcdefghijklmnop'
			echo '  backtrace (crc 1f):'
		} | save
		kml 1 scan --json --debugfs "$work/saved"
		json "d['groups'][0]['objects'][0]['content_text'] == 'ABCDEFGHIJKLMNOPabcdefghijklmnop'[:$bytes]"
	done
	record ffff1 64 one f+0x1/0x2 | sed 's/^    00.*/    00 0x zz/' | save
	kml 1 scan --json --debugfs "$work/saved"
	json 'd["groups"][0]["objects"][0]["content"] == "00"'
}

# By the function that makes it; what the detector says counts for more.
test_reference_counts()
{
	{
		record ffff1 10 one kmem_cache_alloc_noprof+0x1/0x2 alloc_pid+0x1/0x2
		record ffff2 20 one kmem_cache_alloc_lru_noprof+0x1/0x2 shmem_alloc_inode+0x1/0x2 \
			alloc_inode+0x1/0x2
		record ffff3 30 one __kmalloc_noprof+0x1/0x2 lsm_cred_alloc+0x1/0x2 \
			prepare_creds+0x1/0x2
		record ffff4 40 one kmem_cache_alloc_noprof+0x1/0x2 alloc_pid_max+0x1/0x2
		record ffff6 35 one kmemleak_alloc+0x1/0x2 __kmalloc_noprof+0x1/0x2 \
			__d_alloc+0x1/0x2
		record ffff5 50 one kmem_cache_alloc_noprof+0x1/0x2 sk_prot_alloc.constprop.0+0x1/0x2
	} | save
	kml 1 scan --json --debugfs "$work/saved"
	json '[g["objects"][0]["type"] for g in d["groups"]] == ["struct sock", None, None,
		None, "struct inode", "struct pid"]'
	json 'd["groups"][0]["objects"][0]["refcount"] is None'
	kml 1 scan --debugfs "$work/saved"
	[ "$(grep -c 'reference counted' "$work/out")" = 3 ]
	says '^  reference counted (struct pid): look for the missing put$'
	mkdir "$work/saved/kmemleak_info"
	sed 's/kmem_cache_alloc_noprof+0x1\/0x2/x+0x1\/0x2/' "$work/saved/kmemleak" > "$work/changed"
	mv "$work/changed" "$work/saved/kmemleak"
	for type in '"struct pid","refcount":18446744073709551615' 'null,"refcount":null'; do
		printf '{"address":"0xffff1","size":10,"kind":"slab","cache":"pid","comm":"one","pid":7,"age_ms":1,"direct":true,"held_by":null,"type":%s}\n' \
			"$type" > "$work/saved/kmemleak_info/leaks.json"
		kml 1 scan --debugfs "$work/saved"
		case $type in
		null*)	says_not 'struct pid' ;;
		*)	says '^  reference counted (struct pid, count 18446744073709551615): look' ;;
		esac
	done
}

test_long_lines()
{
	awk 'BEGIN {
		print "unreferenced object 0x1 (size 1):"
		printf "  comm \""
		for (i = 0; i < 1000000; i++)
			printf "x"
		print "\", pid 1, jiffies 1\n  backtrace (crc 0):"
		for (i = 0; i < 100000; i++)
			print "    frame" i
	}' | save
	kml 1 scan --json --debugfs "$work/saved"
	json 'len(d["groups"][0]["trace"]) == 100000'
}

test_wrong_command_lines()
{
	kml 2
	kml 2 nothing
	kml 2 scan more
	kml 2 scan --nothing
	kml 2 scan --interval 3
	complains 'not for scan'
	kml 2 slab --log "$work/log"
	kml 2 --json --csv scan
	kml 2 watch -i 0
	kml 2 watch -i -1
	kml 2 watch -i 1x
	kml 2 top -c 0
	kml 2 scan --limit many
	kml 2 run
	kml 2 run --
	kml 2 module
	kml 2 module --
	kml 2 module name --
	kml 2 scan --debugfs
	kml 0 --help
	says '^usage: '
	quiet
	for command in '' scan run; do
		# shellcheck disable=SC2086
		kml 0 $command --version
		says '^kmemleak [0-9.]*$'
		quiet
	done
}

test_nothing_there()
{
	kml 3 scan --debugfs "$work/nowhere"
	complains "mount -t debugfs none $work/nowhere"
	kml 3 scan --debugfs /sys/kernel
	complains 'mount -t debugfs none /sys/kernel'
	save < "$here/test-tool/ours.txt"
	kml 3 run --debugfs "$work/saved" -- true
	complains 'in no debugfs'
	kml 3 module --debugfs "$work/saved" name
	KMEMLEAK_DEBUGFS=$work/saved kml 1 scan
	KMEMLEAK_DEBUGFS=$work/nowhere kml 3 scan
	KMEMLEAK_PROC=$work/nowhere kml 3 slab
	complains 'CONFIG_SLUB_DEBUG'
}

test_output_to_a_file()
{
	save < "$here/test-tool/ours.txt"
	kml 1 scan --json -o "$work/file" --debugfs "$work/saved"
	[ ! -s "$work/out" ]
	mv "$work/file" "$work/out"
	json 'd["leaks"] == 5'
	kml 3 scan -o "$work/nowhere/file" --debugfs "$work/saved"
	kml 3 scan -o /dev/full --debugfs "$work/saved"
	complains 'No space left'
}

fake_slabinfo()	# OBJECTS: of a cache that changes
{
	mkdir -p "$work/proc"
	cat > "$work/proc/slabinfo.new" <<-SLABINFO
	slabinfo - version: 2.1
	# name <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables
	dentry 100 200 192 21 1 : tunables 0 0 0 : slabdata 10 10 0
	odd,name $1 900 64 64 1 : tunables 0 0 0 : slabdata 15 15 0
	nothing 0 0 32 128 1 : tunables 0 0 0 : slabdata 0 0 0
	SLABINFO
	mv "$work/proc/slabinfo.new" "$work/proc/slabinfo"
	export KMEMLEAK_PROC="$work/proc"
}

fake_proc()	# OBJECTS
{
	fake_slabinfo "$1"
	cat > "$work/proc/meminfo.new" <<-MEMINFO
	MemTotal: 1000 kB
	MemFree: 500 kB
	MemAvailable: 600 kB
	Slab: 70 kB
	SReclaimable: 30 kB
	SUnreclaim: 40 kB
	KernelStack: 8 kB
	MEMINFO
	mv "$work/proc/meminfo.new" "$work/proc/meminfo"
}

# The cache grows until stop_growing.
growing_proc()
{
	fake_proc 100
	touch "$work/go_on"
	(
		objects=100
		while [ -e "$work/go_on" ]; do
			fake_proc $((objects += 10))
			sleep 0.05
		done
	) &
	grower=$!
}

stop_growing()
{
	rm "$work/go_on"
	wait "$grower"
}

test_slab()
{
	fake_proc 100
	kml 0 slab --json
	json '[c["name"] for c in d["caches"]] == ["odd,name", "dentry", "nothing"]'
	json 'd["caches"][0]["used"] == 6400 and d["caches"][0]["bytes"] % 15 == 0'
	kml 0 slab --csv -n 1
	csv 'len(rows) == 1 and rows[0]["cache"] == "odd,name"'
	kml 0 slab
	says '^dentry  *192  *100  *19200 '
	growing_proc
	kml 0 slab --growth -i 2 --json
	stop_growing
	json '[c["name"] for c in d["caches"]] == ["odd,name"] and d["caches"][0]["grown"] >= 640'
}

test_watch()
{
	save < "$here/test-tool/ours.txt"
	growing_proc
	"$tool" watch -i 0.2 --log "$work/log" --debugfs "$work/saved" > "$work/out" &
	watcher=$!
	# On a machine that is busy it takes more than the five looks.
	round=0
	while [ $((round += 1)) -lt 300 ] &&
	      ! awk 'END { exit NR < 4 }' "$work/log/slab.tsv"; do
		sleep 0.2
	done
	stop_growing
	kill -TERM $watcher
	got=0
	wait $watcher || got=$?
	[ "$got" = 143 ]
	looks=$(grep -c MemFree "$work/out")
	[ "$looks" -ge 8 ]
	[ "$(grep -c 'new leak' "$work/out")" = 3 ]
	[ "$(grep -c 'growing: odd,name' "$work/out")" = 1 ]
	[ "$(wc -l < "$work/log/samples.tsv")" = $((looks + 1)) ]
	[ "$(awk -F '\t' '{ print NF }' "$work/log/samples.tsv" | sort -u)" = 12 ]
	[ "$(wc -l < "$work/log/slab.tsv")" -ge 4 ]
	[ "$(find "$work/log" -name 'leak-*.txt' | wc -l)" = 3 ]
	grep -q leaky_probe "$work"/log/leak-*.txt
	[ "$(find "$work/log" -name 'slab-*.txt' | wc -l)" = 1 ]
	# A second one goes on in the same tables.
	kml 0 watch -i 0.1 -c 2 --log "$work/log" --json --debugfs "$work/saved"
	[ "$(wc -l < "$work/log/samples.tsv")" = $((looks + 3)) ]
	[ "$(wc -l < "$work/out")" = 2 ]
	head -n 1 "$work/out" > "$work/first"
	tail -n 1 "$work/out" > "$work/last"
	mv "$work/first" "$work/out"
	json 'd["MemFree"] == 500 and len(d["new"]) == 3 and d["leaks"] == 5'
	mv "$work/last" "$work/out"
	json 'd["new"] == [] and d["places"] == 3'
	kml 0 watch -i 0.1 -c 2 --csv --debugfs "$work/saved"
	csv '[r["new"] for r in rows] == ["3", "0"] and rows[0]["leaked"] == "4056"'
}

# fake_memory UNACCOUNTED FREE: all figures of the kernel, in KiB, and a cache.
fake_memory()
{
	# A look may come between the two files: none may be another machine's.
	fake_slabinfo "$((100 + $1 / 1000))"
	cat > "$work/proc/meminfo.new" <<-MEMINFO
	MemTotal: $((1000000 + $1 + $2)) kB
	MemFree: $2 kB
	MemAvailable: 600000 kB
	Buffers: 10000 kB
	Cached: 100000 kB
	SwapCached: 1000 kB
	AnonPages: 200000 kB
	Shmem: 50000 kB
	KReclaimable: 80000 kB
	Slab: 100000 kB
	SReclaimable: 70000 kB
	SUnreclaim: 30000 kB
	KernelStack: 8000 kB
	PageTables: 9000 kB
	SecPageTables: 1000 kB
	VmallocTotal: 133141626880 kB
	VmallocUsed: ${vmalloc:-500000} kB
	Percpu: 25000 kB
	Hugetlb: 40000 kB
	MEMINFO
	mv "$work/proc/meminfo.new" "$work/proc/meminfo"
	printf 'Node 0, zone Normal\n  pages free 1\n        count: 300\n        count: 700\n' |
		sed "s/300/$((4000 / $(($(getconf PAGESIZE) / 1024)) - 700))/" > "$work/proc/zoneinfo.new"
	mv "$work/proc/zoneinfo.new" "$work/proc/zoneinfo"
}

# What the kernel's figures leave over, with stacks that are vmalloc areas and such that
# are not.
test_unaccounted_memory()
{
	save < "$here/test-tool/ours.txt"
	fake_memory 12345 1000
	kml 0 watch -c 1 --json --debugfs "$work/saved"
	json 'd["Unaccounted"] == 12345'
	vmalloc=2000 fake_memory 12345 1000
	kml 0 watch -c 1 --csv --debugfs "$work/saved"
	csv "rows[0]['Unaccounted'] == '$((12345 + 498000 - 8000))'"
	# Figures that do not fit together are no reason for a number without an end.
	sed -i 's/^MemTotal: .*/MemTotal: 1000 kB/' "$work/proc/meminfo"
	kml 0 watch -c 1 --json --debugfs "$work/saved"
	json 'd["Unaccounted"] == 0'
}

# watch_memory STEP LOSS PATTERN [OPTION]: it grows by so many KiB again and again, with a
# cache that does by some hundred bytes, and MemFree falls by LOSS. Watch it until PATTERN is
# said, or for 40 looks.
watch_memory()
{
	save < "$here/test-tool/ours.txt"
	rm -rf "$work/log"
	fake_memory 0 1000000
	touch "$work/go_on"
	(
		round=0
		while [ -e "$work/go_on" ]; do
			round=$((round + 1))
			fake_memory $((round * $1)) $((1000000 - round * $2))
			sleep 0.1
		done
	) &
	grower=$!
	# shellcheck disable=SC2086
	"$tool" watch -i 0.2 ${4:-} --log "$work/log" --debugfs "$work/saved" > "$work/out" &
	watcher=$!
	round=0
	while [ $((round += 1)) -lt 600 ] && ! grep -q -e "$3" "$work/out" &&
	      ! awk 'END { exit NR < 40 }' "$work/log/samples.tsv"; do
		sleep 0.2
	done
	stop_growing
	kill -TERM $watcher
	wait $watcher || [ $? = 143 ]
}

test_pages_that_grow()
{
	watch_memory 1000 1000 'growing: pages'
	[ "$(grep -c '  growing: pages, .* more in [0-9]* looks that no figure tells of' "$work/out")" = 1 ]
	says 'use page_owner'
	says 'page_owner_sort -m'
	# The cache grew by a few KiB, with megabytes of pages beside it: that is no finding.
	says_not 'growing: odd,name'
	[ "$(find "$work/log" -name 'pages-*.txt' | wc -l)" = 1 ]
	grep -q 'page_owner=on' "$work"/log/pages-*.txt
	watch_memory 1000 1000 '"name":"Unaccounted"' --json
	tail -n 1 "$work/out" > "$work/last"
	mv "$work/last" "$work/out"
	json '[g["name"] for g in d["growing"]] == ["Unaccounted"] and d["growing"][0]["grown"] > 1 << 20'
}

# Some pages come and go. Where memory does not go elsewhere, a cache is a finding.
test_caches_that_grow_beside_pages()
{
	watch_memory 10 10 'growing:'
	says_not 'growing: pages'
	watch_memory 0 0 'growing:'
	says_not 'growing: pages'
	growing_proc
	"$tool" watch -i 0.1 --debugfs "$work/saved" > "$work/out" &
	watcher=$!
	round=0
	while [ $((round += 1)) -lt 300 ] && ! grep -q growing: "$work/out"; do
		sleep 0.2
	done
	stop_growing
	kill -TERM $watcher
	wait $watcher || [ $? = 143 ]
	says 'growing: odd,name'
}

# refused COMMENT ARGUMENT...: the tool says so, waits for nobody, and leaves what is
# in the directory "victim" as it was.
refused()
{
	comment=$1
	shift
	rm -rf "$work/victim"
	mkdir "$work/victim"
	echo precious > "$work/victim/file"
	got=0
	timeout 20 "$tool" "$@" --debugfs "$work/saved" > "$work/out" 2> "$work/err" \
		< /dev/null || got=$?
	[ "$got" = 3 ] || { echo "kmemleak $*: status $got, not 3"; cat "$work/err"; return 1; }
	complains "$comment"
	[ "$(ls "$work/victim")" = file ] && [ "$(cat "$work/victim/file")" = precious ]
}

refused_log()	# COMMENT DIRECTORY
{
	refused "$1" watch -c 1 --log "$2"
}

# Only root can give something away; others take what is root's.
give_away()	# FILE or DIRECTORY
{
	[ "$(id -u)" != 0 ] || chown -h 12345 "$1"
}

start_log_tests()
{
	save < "$here/test-tool/ours.txt"
	fake_proc 100
	umask 022
	mkdir "$work/log"
}

test_log_is_for_its_owner_alone()
{
	save < "$here/test-tool/ours.txt"
	fake_proc 100
	umask 0
	kml 0 watch -c 1 --log "$work/log/" --debugfs "$work/saved"
	kml 1 scan -o "$work/file" --debugfs "$work/saved"
	umask 022
	[ "$(stat -c %a "$work/log" "$work/file" | xargs)" = "700 600" ]
	[ "$(find "$work/log" -name '*.t[sx][vt]' -type f | wc -l)" = 6 ]
	[ -z "$(find "$work/log" -type f ! -perm 600)" ]
}

test_log_through_a_link()
{
	start_log_tests
	ln -s victim "$work/link"
	refused_log "link is a symbolic link" "$work/link"
	refused_log "link// is a symbolic link" "$work/link//"
	ln -s victim/new "$work/dangling"
	refused_log "dangling is a symbolic link" "$work/dangling"
	# In a directory of one's own.
	for name in samples.tsv slab.tsv; do
		rm -f "$work"/log/*
		ln -s ../victim/file "$work/log/$name"
		refused_log "$name is a symbolic link" "$work/log"
		ln -sf ../victim/new "$work/log/$name"
		refused_log "$name is a symbolic link" "$work/log"
	done
	rm "$work"/log/*
	mkdir "$work/real"
	echo old > "$work/real/file"
	ln "$work/real/file" "$work/log/slab.tsv"
	refused_log "slab.tsv has other names" "$work/log"
	[ "$(cat "$work/real/file")" = old ]
}

# On the way to the directory. The last step is what a link of root's may do.
test_log_behind_a_link()
{
	start_log_tests
	ln -s victim "$work/way"
	give_away "$work/way"
	[ "$(id -u)" != 0 ] || refused_log 'others may have made the symbolic link "way"' "$work/way/new"
	rm "$work/way"
	mkdir "$work/open"
	ln -s ../victim "$work/open/way"
	chmod 777 "$work/open"
	refused_log 'others may have made the symbolic link "way"' "$work/open/way/new"
	chmod 1777 "$work/open"
	kml 0 watch -c 1 --log "$work/open/way/new" --debugfs "$work/saved"
	[ -s "$work/victim/new/samples.tsv" ]
}

test_log_in_a_directory_of_others()
{
	start_log_tests
	if [ "$(id -u)" = 0 ]; then
		chown 12345 "$work/log"
		refused_log 'log belongs to another user (12345)' "$work/log"
		[ -z "$(ls "$work/log")" ]
		chown 0 "$work/log"
		: > "$work/log/samples.tsv"
		chown 12345 "$work/log/samples.tsv"
		refused_log 'samples.tsv belongs to another user (12345)' "$work/log"
		[ ! -s "$work/log/samples.tsv" ]
		rm "$work/log/samples.tsv"
	else
		refused_log 'usr belongs to another user (0)' /usr
	fi
	for mode in 777 1777 775 722; do
		chmod $mode "$work/log"
		refused_log "log is for others to write to (mode $mode)" "$work/log"
		[ -z "$(ls "$work/log")" ]
	done
	chmod 755 "$work/log"
	kml 0 watch -c 1 --log "$work/log" --debugfs "$work/saved"
	chmod 666 "$work/log/samples.tsv"
	refused_log "samples.tsv is for others to write to (mode 666)" "$work/log"
	chmod 600 "$work/log/samples.tsv"
	[ "$(wc -l < "$work/log/samples.tsv")" = 2 ]
}

refused_file()	# COMMENT FILE
{
	for format in --json --csv -n1; do
		refused "$1" scan $format -o "$2" || return
	done
}

test_output_through_a_link()
{
	save < "$here/test-tool/ours.txt"
	ln -s victim/file "$work/link"
	refused_file "link is a symbolic link" "$work/link"
	ln -sf victim/new "$work/link"
	refused_file "link is a symbolic link" "$work/link"
	ln -s victim "$work/way"
	give_away "$work/way"
	[ "$(id -u)" != 0 ] ||
		refused_file 'others may have made the symbolic link "way"' "$work/way/file"
	mkdir "$work/real"
	echo old > "$work/real/file"
	ln "$work/real/file" "$work/hard"
	refused_file "hard has other names" "$work/hard"
	[ "$(cat "$work/real/file")" = old ]
	# These lead to what is open already.
	kml 1 scan -o /dev/stdout --debugfs "$work/saved"
	says '^5 leaks'
	"$tool" scan -o /dev/fd/7 --debugfs "$work/saved" 7> "$work/seven" || [ $? = 1 ]
	grep -q '^5 leaks' "$work/seven"
	"$tool" scan -o /proc/self/fd/1 --debugfs "$work/saved" | grep -q '^5 leaks'
}

test_output_to_a_file_of_others()
{
	save < "$here/test-tool/ours.txt"
	echo old > "$work/file"
	chmod 666 "$work/file"
	refused_file "file is for others to write to (mode 666)" "$work/file"
	chmod 644 "$work/file"
	mkfifo -m 600 "$work/pipe"
	if [ "$(id -u)" = 0 ]; then
		chown 12345 "$work/file" "$work/pipe"
		refused_file 'file belongs to another user (12345)' "$work/file"
		[ "$(cat "$work/file")" = old ]
		# Nobody reads it, and the tool does not wait for that.
		refused_file 'pipe belongs to another user (12345)' "$work/pipe"
		chown 0 "$work/file" "$work/pipe"
	else
		refused_file 'passwd belongs to another user (0)' /etc/passwd
	fi
	grep '^5 leaks' "$work/pipe" > "$work/piped" &
	kml 1 scan -o "$work/pipe" --debugfs "$work/saved"
	wait $!
	[ -s "$work/piped" ]
	kml 1 scan -o "$work/file" --debugfs "$work/saved"
	[ "$(head -n 1 "$work/file" | cut -c 1-7)" = "5 leaks" ]
	kml 1 scan -o /dev/null --debugfs "$work/saved"
}

# The tool mistakes no file that it opens later for one that its caller has closed.
test_closed_files()
{
	save < "$here/test-tool/ours.txt"
	fake_proc 100
	got=0
	"$tool" watch -i 0.1 -c 2 --log "$work/log" --debugfs "$work/saved" \
		2> "$work/err" >&- || got=$?
	[ "$got" = 3 ]
	complains 'cannot write the result'
	awk -F '\t' 'NF != 12 { exit 1 }' "$work/log/samples.tsv"
	got=0
	"$tool" scan --debugfs "$work/saved" > "$work/out" 2>&- <&- || got=$?
	[ "$got" = 1 ]
	says '^5 leaks'
}

# Of two places one has more from look to look, the other one now more, now less.
test_watch_names_places()
{
	save < "$here/test-tool/ours.txt"
	mkdir "$work/saved/kmemleak_info"
	fake_proc 100
	cat > "$work/grow.py" <<-PYTHON
	import json, os, sys, time
	path = sys.argv[1]
	groups = [json.loads(line) for line in open("$here/test-tool/live.json")]
	look = 0
	while os.path.exists(path + ".go"):
	    look += 1
	    groups[0]["bytes"] = 5000 + 100 * look
	    groups[2]["bytes"] = 64 + look * 7919 % 1000
	    with open(path + ".new", "w") as to:
	        for group in groups:
	            print(json.dumps(group), file=to)
	    os.rename(path + ".new", path)
	    time.sleep(0.05)
	PYTHON
	live=$work/saved/kmemleak_info/live.json
	cp "$here/test-tool/live.json" "$live"
	touch "$live.go"
	python3 "$work/grow.py" "$live" &
	kml 0 watch -i 0.2 -c 16 --log "$work/log" --debugfs "$work/saved"
	rm "$live.go"
	wait $!
	says '^  growing: my_probe+0x3c/0x90 \[my_driver\], [0-9.]*[BK] more, [0-9.]*[BKM] in an hour$'
	[ "$(grep -c 'growing: .*an hour' "$work/out")" = 1 ]
	[ "$(cut -f 2 "$work/log/places.tsv" | sort -u | grep -c +)" = 1 ]
	[ "$(wc -l < "$work/log/places.tsv")" -ge 6 ]
	grep -q '^    my_probe+0x3c/0x90 \[my_driver\]$' "$work/log"/place-*.txt
}

test_pictures()
{
	command -v gnuplot > /dev/null || return 0
	mkdir "$work/log"
	cd "$work"
	awk 'BEGIN {
		print "time\tMemFree\tMemAvailable\tSlab\tSReclaimable\tSUnreclaim\tKernelStack\t" \
			"leaks\tleaked\tplaces\tnew" > "samples.tsv"
		print "time\tcache\tused\tbytes" > "slab.tsv"
		print "time\tplace\tobjects\tbytes" > "places.tsv"
		for (i = 0; i < 100; i++) {
			time = 1790000000 + i * 60
			print time "\t500\t600\t" 70 + i "\t30\t" 40 + i "\t8\t" i "\t" i * 64 \
				"\t1\t0" > "samples.tsv"
			print time "\tkmalloc_64\t" i * 64 "\t8192" > "slab.tsv"
			print time "\tdentry\t" i * 32 "\t8192" > "slab.tsv"
			for (place = 1; place <= 7; place++)
				print time "\tplace_" place "+0x10/0x20 [drv]\t" i "\t" \
					1000 + i * i * place > "places.tsv"
		}
	}'
	mv samples.tsv slab.tsv places.tsv "$work/log"
	gnuplot -e "dir='$work/log'" "$source/kmemleak.gnuplot" 2>&1 | grep . && return 1
	for picture in memory leaks slab places; do
		head -c 4 "$work/log/$picture.png" | grep -q PNG
	done
	# None is written through a link, nor where others could have put one.
	echo precious > "$work/file"
	ln -sf ../file "$work/log/memory.png"
	gnuplot -e "dir='$work/log'" "$source/kmemleak.gnuplot"
	[ "$(cat "$work/file")" = precious ]
	head -c 4 "$work/log/memory.png" | grep -q PNG
	ln -sf ../file "$work/log/memory.png"
	ln -s log "$work/link"
	for dir in link log; do
		chmod 777 "$work/log"
		[ $dir = log ] || chmod 755 "$work/log"
		got=0
		gnuplot -e "dir='$work/$dir'" "$source/kmemleak.gnuplot" 2> "$work/err" || got=$?
		[ "$got" = 1 ]
		complains "$dir is a link, belongs to another user, or is for others"
		[ "$(cat "$work/file")" = precious ]
	done
}

test_signals_end_a_watch()
{
	save < "$here/test-tool/ours.txt"
	fake_proc 100
	for signal in INT TERM HUP; do
		# Not a background process of the shell, which would ignore SIGINT.
		got=0
		timeout -s $signal 0.5 "$tool" watch --csv -i 0.1 \
			--debugfs "$work/saved" > "$work/out" || got=$?
		[ "$got" = 124 ] || return 1
		csv 'len(rows) >= 2 and all(None not in r.values() for r in rows)'
	done
}

test_terminal()
{
	save < "$here/test-tool/ours.txt"
	fake_proc 100
	python3 "$here/test-tool/terminal.py" "$tool" "$work/saved"
}

# One more source line than symbols can tell: from a program of our own.
test_source_lines()
{
	cat > "$work/kernel.c" <<-C
	static int twice(int n)
	{
		return n * 2;
	}

	int leaky(int n)
	{
		return twice(n) + 1;
	}

	int main(void)
	{
		return leaky(1);
	}
	C
	${CC:-gcc} -g -O0 -o "$work/vmlinux" "$work/kernel.c"
	record ffff1 64 one leaky+0x11/0x20 gone+0x10/0x20 'mod+0x1/0x2 [nothere]' | save
	kml 1 scan --debugfs "$work/saved" --vmlinux "$work/vmlinux"
	says 'leaky+0x11/0x20  kernel.c:[78]$'
	says 'gone+0x10/0x20$'
	kml 1 scan --json --debugfs "$work/saved" --vmlinux "$work/vmlinux"
	json '"kernel.c:" in d["groups"][0]["trace"][0]["source"]'
	kml 1 scan --debugfs "$work/saved" --modules "$work"
	complains 'no nothere.ko'
	PATH=/nowhere kml 1 scan --debugfs "$work/saved" --vmlinux "$work/vmlinux" || :
	says 'leaky+0x11/0x20$'
	complains 'no addr2line'
	kml 1 scan --debugfs "$work/saved" --vmlinux "$work/nowhere"
	complains 'No such file'
	# Damaged files must not be believed.
	for bytes in 10 64 100 1000 10000; do
		head -c $bytes "$work/vmlinux" > "$work/cut"
		kml 1 scan --debugfs "$work/saved" --vmlinux "$work/cut"
		complains 'no 64-bit ELF'
	done
}

# A kernel and a module for arm64, where the addr2line of this machine may not do.
test_source_lines_of_another_machine()
{
	cat > "$work/driver.c" <<-C
	void *allocate(int size);

	static inline void *twice(int size)
	{
		return allocate(size * 2);
	}

	__attribute((section(".init.text"))) int start(void)
	{
		return allocate(1) != 0;
	}

	void *probe(int size)
	{
		void *one = allocate(size);

		return one ? twice(size) : one;
	}
	C
	cc="aarch64-linux-gnu-gcc -g -O2 -ffreestanding -fno-pic -fno-optimize-sibling-calls"
	$cc -c -o "$work/my-driver.ko" "$work/driver.c"
	$cc -nostdlib -static -no-pie -Wl,-e,probe,--defsym=allocate=0x400000 \
		-o "$work/vmlinux" "$work/driver.c"
	# For each call the address behind it, as the offset in its function.
	for file in my-driver.ko vmlinux; do
		aarch64-linux-gnu-objdump -d "$work/$file" | awk -v of="$file" '
		/>:$/ { name = $2; gsub(/[<>:]/, "", name); begin = $1 }
		/\tbl\t/ { print of, name, begin, $1 }'
	done | tr -d : | while read -r file name begin at; do
		offset=$((0x$at - 0x$begin + 4))
		printf '%s+0x%x/0x1000%s\n' "$name" "$offset" \
			"$([ "$file" = vmlinux ] || echo " [my_driver]")"
	done > "$work/frames"
	[ "$(wc -l < "$work/frames")" = 6 ]
	while read -r frame; do
		record ffff1 64 one "$frame"
	done < "$work/frames" | save
	kml 1 scan --debugfs "$work/saved" --vmlinux "$work/vmlinux" --modules "$work"
	quiet
	for where in '' ' \[my_driver\]'; do
		says "^    start+0x[0-9a-f]*/0x1000$where  driver.c:10\$"
		says "^    probe+0x[0-9a-f]*/0x1000$where  driver.c:15\$"
		says "^    probe+0x[0-9a-f]*/0x1000$where  driver.c:17, driver.c:5\$"
	done
}

# Section by section, its size is not what it was.
test_damaged_symbols()
{
	echo 'int main(void) { return 0; }' > "$work/kernel.c"
	${CC:-gcc} -g -o "$work/vmlinux" "$work/kernel.c"
	record ffff1 64 one main+0x4/0x20 | save
	ADDR2LINE=true python3 - "$work" "$tool" <<-PYTHON
	import struct, subprocess, sys
	work, tool = sys.argv[1:]
	whole = open(work + "/vmlinux", "rb").read()
	headers, = struct.unpack_from("<Q", whole, 40)
	sections, = struct.unpack_from("<H", whole, 60)
	for section in range(1, sections):
	    for size in (1, 0x7fffffff, 0xfffffffffffffff0):
	        damaged = bytearray(whole)
	        struct.pack_into("<Q", damaged, headers + 64 * section + 32, size)
	        open(work + "/damaged", "wb").write(damaged)
	        status = subprocess.run([tool, "scan", "--debugfs", work + "/saved",
	                                 "--vmlinux", work + "/damaged"]).returncode
	        if status != 1:
	            print("section", section, "size", size, "status", status)
	            sys.exit(1)
	PYTHON
}

# Live objects: a driver's, early ones without a trace, and some of per-CPU memory.
save_live()
{
	save < /dev/null
	mkdir "$work/saved/kmemleak_info"
	cp "$here/test-tool/live.json" "$work/saved/kmemleak_info/live.json"
}

test_live_objects()
{
	save_live
	kml 0 live --debugfs "$work/saved"
	quiet
	says '^5364B in 8 objects, from 3 places; 1 of them lost$'
	says '^5000B in 5 objects, age 1..61 s, 2 since mark, 1 lost$'
	says '^  kmalloc-1k, dentry (reclaimable), by "insmod", "a;b "c""$'
	says '^    my_probe+0x3c/0x90 \[my_driver\]$'
	says '^    (no trace)$'
	kml 0 live --top 1 --debugfs "$work/saved"
	says '^\.\.\. and 2 more places$'
	kml 0 live --by cache --debugfs "$work/saved"
	says '^    4000B         4       1           1  kmalloc-1k$'
	says '^     300B         2       0           0  boot$'
	kml 0 live --by module --csv --debugfs "$work/saved"
	csv '[(r["name"], r["bytes"]) for r in rows] == [("my_driver", "5000"), ("(no module)", "364")]'
	kml 0 live --by comm --json --debugfs "$work/saved"
	json '[(r["name"], r["objects"]) for r in d["rows"]] == [("insmod", 4), ("a;b \"c\"", 1),
		("swapper/0", 2), ("sh", 1)]'
	kml 0 live --json --debugfs "$work/saved"
	json '(d["bytes"], d["objects"], d["leaks"], d["places"]) == (5364, 8, 1, 3)'
	json '[g["site"] for g in d["groups"]] == ["my_probe+0x3c/0x90 [my_driver]", "", "od;d na\tme+0x10/0x20"]'
	json 'd["groups"][0]["parts"][1]["reclaimable"] and d["groups"][1]["parts"][0]["cache"] is None'
	kml 0 live --csv --debugfs "$work/saved"
	csv '[r["bytes"] for r in rows] == ["5000", "300", "64"] and rows[0]["leaked"] == "1000"'
	kml 2 live --by colour --debugfs "$work/saved"
	kml 2 live --folded --by comm --debugfs "$work/saved"
}

# What is in a name ends no frame, and no line.
test_folded_stacks()
{
	save_live
	kml 0 live --folded --debugfs "$work/saved"
	quiet
	diff "$work/out" - <<-FOLDED
	do_one_initcall;my_probe [my_driver];__kmalloc_cache_noprof 5000
	(no trace) 300
	0xffff800080001234;od:d na?me;pcpu_alloc_noprof 64
	FOLDED
}

# Of thousands of damaged lines as many are taken as another reader takes.
test_damaged_live_objects()
{
	save_live
	live=$work/saved/kmemleak_info/live.json
	python3 "$here/test-tool/lines.py" "$here/test-tool/live.json" > "$live" 2> "$work/bad"
	kml 0 live --json --debugfs "$work/saved"
	complains "live.json: [0-9]* lines are not understood"
	json 'd["places"] > 2000'
	head -c 100000 /dev/urandom > "$live"
	kml 0 live --debugfs "$work/saved"
	complains 'live.json: [0-9]* lines are not understood'
	says '^0B in 0 objects, from 0 places$'
}

# Where a detector does not tell, the answer is not "nothing".
test_no_live_objects()
{
	save < /dev/null
	kml 3 live --debugfs "$work/saved"
	complains 'does not tell what is live'
	complains 'kmemleak slab'
	kml 3 growth --for 1 --debugfs "$work/saved"
	complains 'nothing can be scanned there'
	kml 2 growth --debugfs "$work/saved"
	kml 2 growth --for 1 --debugfs "$work/saved" -- true
	kml 2 growth --for 5x --debugfs "$work/saved"
	kml 2 growth --for 1 --fail-above 3Q --debugfs "$work/saved"
}

test_status()
{
	save < /dev/null
	kml 3 status --debugfs "$work/saved"
	complains 'does not tell$'
	mkdir "$work/saved/kmemleak_info"
	printf '%s\n' 'state: on' 'objects: 32760' 'slabs: 880' 'names: 3 of 4096' \
		'on since: 86400' 'unknown slots: 1234' > "$work/saved/kmemleak_info/stats"
	kml 0 status --debugfs "$work/saved"
	quiet
	[ "$(cat "$work/out")" = "state: on
objects: 32760
on since: 86400
unknown slots: 1234" ]
	kml 0 status --json --debugfs "$work/saved"
	json 'd == {"state": "on", "objects": 32760, "on since": 86400, "unknown slots": 1234}'
	kml 0 status --csv --debugfs "$work/saved"
	csv '{r["name"]: r["value"] for r in rows}["on since"] == "86400"'
	# There is nothing to be switched.
	for command in on off "run --on true"; do
		# shellcheck disable=SC2086
		kml 3 --debugfs "$work/saved" $command
		complains 'is in no debugfs'
	done
	kml 2 scan --on --debugfs "$work/saved"
}

test_manual_page()
{
	mandoc -T lint -W warning "$source/kmemleak.8"
	# Each option of the help is in the manual.
	kml 0 --help
	grep -o -e '--[a-z-]*' "$work/out" | sort -u | sed 's/-/\\-/g' | while read -r option; do
		[ "$option" = '\-\-' ] || [ "$option" = '\-\-help' ] ||
			grep -q -F -e "$option" "$source/kmemleak.8" ||
			{ echo "$option is not in the manual"; return 1; }
	done
}

test_install()
{
	make -s -o "$tool" -C "$source" OUTPUT="${tool%kmemleak}" DESTDIR="$work/root" install
	[ -x "$work/root/usr/sbin/kmemleak" ]
	[ -f "$work/root/usr/share/man/man8/kmemleak.8" ]
	[ -f "$work/root/usr/share/kmemleak/kmemleak.gnuplot" ]
	make -s -o "$tool" -C "$source" OUTPUT="${tool%kmemleak}" prefix="$work/root/local" install
	[ -x "$work/root/local/sbin/kmemleak" ]
	[ -f "$work/root/local/share/man/man8/kmemleak.8" ]
}

# Each in a process of its own, which stops at the first command that fails.
if [ $# = 1 ]; then
	"$1"
	exit
fi
for build in build_native build_static; do
	if $build > "$logs/$build.log" 2>&1; then
		echo "ok - tool: $(echo $build | tr _ ' ')"
	else
		echo "not ok - tool: $(echo $build | tr _ ' ')"
		sed 's/^/    /' "$logs/$build.log"
	fi
done
export KMEMLEAK_TOOL="$tool"
each_test tool
