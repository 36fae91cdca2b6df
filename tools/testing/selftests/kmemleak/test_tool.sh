#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The command-line tool finds what is lost, and ends with the status that says so.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

TOOL=$KML_HERE/kmemleak
LEAKY=$KML_HERE/test_modules/kmemleak_leaky.ko

# tool STATUS ARGUMENT...: it has to end with this status.
tool()
{
	want=$1
	shift
	"$TOOL" "$@" > "$KML_TMP/out" 2> "$KML_TMP/err" < /dev/null
	got=$?
	[ "$got" = "$want" ] && return
	echo "kmemleak $*: status $got, not $want"
	cat "$KML_TMP/out" "$KML_TMP/err"
	# Leaks that should be there may be hidden.
	[ "$want" = 1 ] && [ "$got" = 0 ] && return "$HIDDEN"
	return 1
}

# says PATTERN..., complains PATTERN...: each of them
says()
{
	for pattern; do
		grep -q -e "$pattern" "$KML_TMP/out" && continue
		echo "does not say: $pattern"
		cat "$KML_TMP/out"
		return 1
	done
}

complains()
{
	for pattern; do
		grep -q -e "$pattern" "$KML_TMP/err" && continue
		echo "does not complain: $pattern"
		cat "$KML_TMP/err"
		return 1
	done
}

leave_leak()
{
	insmod "$LEAKY" "pattern=$1" && rmmod kmemleak_leaky
}

# What earlier attempts lost must not count.
forget()
{
	kml_scan && kml_do clear
}

scan_finds()
{
	forget && leave_leak condition && tool 1 scan &&
		says '^1 leak, 1024 bytes, from 1 place$' 'leaky_transfer+' 'by "insmod"' &&
		tool 1 scan --no-scan --json && says '"leaks":1,"bytes":1024' &&
		tool 1 scan --csv && says '^1024,1,leaky_transfer+'
}

scan_finds_nothing()
{
	tool 0 scan && says '^no leaks$'
}

# The leak from before does not count, nor is it shown.
run_finds()
{
	leave_leak condition && tool 1 run -- insmod "$LEAKY" pattern=error_path &&
		rmmod kmemleak_leaky &&
		says '^insmod ended with status 0$' '^1 new leak, 2048 bytes' 'leaky_probe+' &&
		! grep leaky_transfer "$KML_TMP/out"
}

run_prefers_leaks()
{
	tool 1 run -- sh -c "insmod $LEAKY pattern=condition; rmmod kmemleak_leaky; kill -9 \$\$" &&
		says '^sh was ended by signal 9'
}

run_without_leaks()
{
	: > "$KML_TMP/no_program"
	tool 0 run true && says '^true ended with status 0$' '^no new leaks$' &&
		tool 126 run -- "$KML_TMP/no_program" && tool 127 run -- nowhere &&
		tool 125 run --json -- sh -c 'echo hello; exit 3' &&
		complains '^hello$' && says '"status":3'
}

module_finds()
{
	tool 1 module "$LEAKY" pattern=exit_buffer -- grep kmemleak_leaky /proc/modules &&
		says '^kmemleak_leaky ' '^with frames of kmemleak_leaky: 1 of 1$' \
			'leaky_load_firmware+' && ! kml_loaded kmemleak_leaky
}

module_without_leaks()
{
	tool 0 module "$LEAKY" pattern=cache fixed=1 && says '^no new leaks$' \
		'^kmemleak_leaky .* gone$'
}

module_shows_what_fails()
{
	tool 125 module "$LEAKY" pattern=none && complains 'insmod ended with status' &&
		tool 125 module "$LEAKY" fixed=1 -- false && ! kml_loaded kmemleak_leaky &&
		insmod "$LEAKY" fixed=1 && tool 3 module "$LEAKY" && complains 'loaded already' &&
		rmmod kmemleak_leaky
}

# A leak between two looks, and a cache that grows in all of them: that of the files
# in a tmpfs.
CACHE=shmem_inode_cache

watch_finds()
{
	forget
	rm -rf "$KML_TMP/log"
	"$TOOL" watch -i 0.2 --log "$KML_TMP/log" > "$KML_TMP/out" 2> "$KML_TMP/err" &
	watcher=$!
	leave_leak condition
	mkdir "$KML_TMP/files"
	round=0
	while [ $((round += 1)) -lt 100 ] && ! grep -q "growing: $CACHE" "$KML_TMP/out"; do
		for file in 1 2 3 4 5 6 7 8 9 10; do
			: > "$KML_TMP/files/$round.$file"
		done
		sleep 0.2
	done
	kill -TERM $watcher
	wait $watcher
	status=$?
	rm -r "$KML_TMP/files"
	[ "$status" = 143 ] || { echo "SIGTERM ends it with $status"; return 1; }
	if ! grep -q leaky_transfer "$KML_TMP"/log/leak-*.txt; then
		cat "$KML_TMP/out"
		return "$HIDDEN"
	fi
	says 'new leak: 1024 bytes' "growing: $CACHE" &&
		grep -q $CACHE "$KML_TMP"/log/slab-*.txt "$KML_TMP/log/slab.tsv" &&
		[ "$(grep -c MemFree "$KML_TMP/out")" = \
			"$(($(wc -l < "$KML_TMP/log/samples.tsv") - 1))" ]
}

# With what the test before has left.
top_is_scan()
{
	tool 1 top --no-scan && says leaky_transfer
}

slab_shows()
{
	tool 0 slab -n 3 --csv && says '^cache,object_size' &&
		[ "$(wc -l < "$KML_TMP/out")" = 4 ] && tool 0 slab --growth -i 0.1
}

no_debugfs()
{
	mkdir -p "$KML_TMP/empty"
	tool 3 scan --debugfs "$KML_TMP/empty" && complains "mount -t debugfs none $KML_TMP/empty"
}

# A directory of debugfs which has no such file.
not_built_in()
{
	tool 3 scan --debugfs "$KML_DEBUGFS/kmemleak_info" && complains CONFIG_DEBUG_KMEMLEAK
}

not_root()
{
	"$KML_HERE/kmemleak_ctl" as-nobody "$TOOL" scan 2> "$KML_TMP/err"
	[ $? = 3 ] || return
	complains 'only root'
}

[ -x "$TOOL" ] || { ktap_print_header; kml_skip_all "the tool has not been built"; }
kml_setup 15

kml_test "scan: nothing is lost" scan_finds_nothing
kml_test "scan: a leak" scan_finds
kml_test "run: what the program leaks" run_finds
kml_test "run: leaks count for more than how it ended" run_prefers_leaks
kml_test "run: how it ended" run_without_leaks
kml_test "module: what it leaves behind" module_finds
kml_test "module: nothing left, but a cache came and went" module_without_leaks
kml_test "module: what fails" module_shows_what_fails
kml_test "watch: a leak and a cache that grows" watch_finds
kml_test "top: without a terminal" top_is_scan
kml_test "slab: caches" slab_shows
kml_test "a wrong command line" tool 2 scan --growth
kml_test "no debugfs" no_debugfs
kml_test "a kernel without the detector" not_built_in
kml_test "not root" not_root

kml_finish
