#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The command-line tool finds what is lost, and ends with the status that says so.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

TOOL=$KML_HERE/kmemleak
LEAKY=$KML_HERE/test_modules/kmemleak_leaky.ko
EXACT_US=/sys/module/kmemleak/parameters/exact_us

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
	[ "$want" = 1 ] && grep -q '^no .*leaks$' "$KML_TMP/out" && return "$HIDDEN"
	return 1
}

# The same of a command that loads the module. It is gone then, so that a further attempt
# can load it.
tool_with_leaky()
{
	tool "$@"
	ended=$?
	rmmod kmemleak_leaky && return "$ended"
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

scan_finds()
{
	kml_forget && leave_leak condition && tool 1 scan &&
		says '^1 leak, 1024 bytes, from 1 place$' 'leaky_transfer+' 'by "insmod"' &&
		tool 1 scan --no-scan --json && says '"leaks":1,"bytes":1024' &&
		tool 1 scan --csv && says '^1024,1,leaky_transfer+'
}

VERBOSE=/sys/module/kmemleak/parameters/verbose

# As one that a console has kept.
log_is_read()
{
	kml_forget && before=$(cat $VERBOSE) && echo 1 > $VERBOSE &&
		leave_leak condition && kml_scan
	status=$?
	echo "$before" > $VERBOSE
	[ "$status" = 0 ] || return "$status"
	dmesg > "$KML_TMP/console.log"
	grep -q leaky_transfer "$KML_FILE" || return "$HIDDEN"
	tool 1 scan --debugfs "$KML_TMP/console.log" && says 'leaky_transfer+'
}

# A copy that has nothing, and none that was made of debugfs.
copies_are_read()
{
	cp "$KML_FILE" "$KML_TMP/copy" && : > "$KML_TMP/empty_copy" &&
		tool 1 scan --debugfs "$KML_TMP/copy" && says 'leaky_transfer+' &&
		tool 3 scan --debugfs "$KML_TMP/empty_copy" && complains 'is empty' &&
		tool 0 scan --empty-is-clean --debugfs "$KML_TMP/empty_copy" &&
		tool 3 scan --debugfs /proc/meminfo && complains 'neither a report nor a log' &&
		tool 3 scan --debugfs "$KML_FILE" && complains 'name the directory'
}

# A device that was lost and its private part point at one another, and one of them
# at its name. Which of the two counts as direct is up to their addresses.
scan_tells_direct()
{
	kml_forget && leave_leak refcount && tool 1 scan || return
	says '^3 leaks' || return "$HIDDEN"
	says '; 1 direct, 2 indirect$' ' 1 object, 0 direct, 1 indirect, allocated' \
		'^  held by 0x[0-9a-f]* of \(leaky_device_create\|device_add\)+' &&
		tool 1 scan --no-scan --json &&
		says '"direct":1,"indirect":2' '"cache":"kmalloc-' &&
		tool 1 scan --no-scan --csv && says '^1024,1,leaky_device_create+.*,[01],[01],'
}

# An older detector has no other files than the report: it takes two scans.
like_an_older_one()
{
	kml_forget && leave_leak condition || return
	before=$(kml_stat scans)
	mount -t tmpfs none "${KML_STATS%/stats}" || return
	tool_with_leaky 1 run --wait 1 -- insmod "$LEAKY" pattern=error_path &&
		says '^1 new leak, 2048 bytes, from 1 place$' 'leaky_probe+' &&
		tool 1 scan --no-scan --json && says '"direct":null,"indirect":null' &&
		tool 1 module --wait 0 "$LEAKY" pattern=condition
	status=$?
	umount "${KML_STATS%/stats}"
	[ "$status" = 0 ] || return "$status"
	[ "$(kml_stat scans)" = $((before + 8)) ] && return
	echo "$before scans and then $(kml_stat scans)"
	return 1
}

scan_finds_nothing()
{
	tool 0 scan && says '^no leaks$'
}

# The leak from before does not count, nor is it shown.
run_finds()
{
	leave_leak condition && tool_with_leaky 1 run -- insmod "$LEAKY" pattern=error_path &&
		says '^insmod ended with status 0$' '^1 new leak, 2048 bytes' 'leaky_probe+' &&
		! grep leaky_transfer "$KML_TMP/out"
}

# It leaves the parameter as it was. With lockdep and KASAN all CPUs may be stopped for
# more than the second that the tool allows: then it has to say so.
run_is_exact()
{
	[ "$(cat $EXACT_US)" = 0 ] || return
	tool_with_leaky 1 run --exact -- insmod "$LEAKY" pattern=error_path &&
		says '^1 new leak, 2048 bytes' && [ "$(cat $EXACT_US)" = 0 ] || return
	[ "$(kml_stat "last scan verdict")" != exact ] || return 0
	[ -e /proc/lockdep ] && grep -q "this is no proof: .* for too long" "$KML_TMP/err" &&
		return
	cat "$KML_STATS" "$KML_TMP/err"
	return 1
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

# Other caches that modules make may be merged with one of the kernel's; this one has
# a constructor.
module_without_leaks()
{
	tool 0 module "$KML_HERE/test_modules/kmemleak_selftest.ko" -- \
		sh -c "cd $KML_TESTER && printf leak > command && printf free > command" &&
		says '^no new leaks$' '^kmemleak_selftest_ctor .* gone$'
}

module_shows_what_fails()
{
	tool 125 module "$LEAKY" pattern=none && complains 'insmod ended with status' &&
		tool 125 module "$LEAKY" fixed=1 -- false && ! kml_loaded kmemleak_leaky &&
		insmod "$LEAKY" fixed=1 && tool 3 module "$LEAKY" && complains 'loaded already' &&
		rmmod kmemleak_leaky
}

module_cannot_be_had()
{
	tool 125 module no_such_module && complains '^kmemleak: modprobe ended with status' &&
		tool 125 module "$KML_TMP/none.ko" -- true &&
		complains 'none.ko' '^kmemleak: insmod ended with status' &&
		tool 2 module "$LEAKY" --json && complains 'options stand before the name'
}

# Its file is open when its time is over.
module_cannot_go()
{
	mkfifo "$KML_TMP/go_on"
	cat > "$KML_TMP/hold" <<-HOLD
	#!/bin/sh
	{ read -r word < "$KML_TMP/go_on"; } 9< "$KML_TESTER/command" > /dev/null 2>&1 &
	while ! [ -e /proc/\$!/fd/9 ]; do :; done
	HOLD
	chmod +x "$KML_TMP/hold"
	"$TOOL" module "$KML_HERE/test_modules/kmemleak_selftest.ko" -- "$KML_TMP/hold" \
		> "$KML_TMP/out" 2> "$KML_TMP/err"
	status=$?
	echo > "$KML_TMP/go_on"
	rm "$KML_TMP/go_on"
	kml_loaded kmemleak_selftest && [ "$status" = 125 ] &&
		complains '^kmemleak: rmmod ended with status'
	status=$?
	while ! rmmod kmemleak_selftest; do :; done 2> /dev/null
	return "$status"
}

# A leak between two looks, and a cache that grows in all of them: that of the files
# in a tmpfs.
CACHE=shmem_inode_cache

watch_finds()
{
	kml_forget
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
	for command in scan "run true" "module x" watch top slab; do
		# shellcheck disable=SC2086
		"$KML_HERE/kmemleak_ctl" as-nobody "$TOOL" $command 2> "$KML_TMP/err"
		[ $? = 3 ] && complains 'only root' && continue
		echo "command $command"
		return 1
	done
}

nowhere_to_write()
{
	tool 3 scan -o /proc/nowhere && complains '/proc/nowhere: ' &&
		tool 3 watch --log /proc/nowhere && complains '/proc/nowhere: ' || return
	# Nobody reads it any more; then the output is closed; then there is no room.
	{ (trap '' PIPE; "$TOOL" scan; echo "$?" > "$KML_TMP/status") 2> "$KML_TMP/err"; } |
		true
	[ "$(cat "$KML_TMP/status")" = 3 ] && complains 'cannot write the result' || return
	"$TOOL" scan 2> "$KML_TMP/err" >&-
	[ $? = 3 ] && complains 'cannot write the result' || return
	"$TOOL" watch -i 0.1 2> "$KML_TMP/err" > /dev/full
	[ $? = 3 ] && complains 'No space left'
}

# Another user may have prepared these, to read what is found or to have root write
# elsewhere.
unsafe_to_write()
{
	rm -rf "$KML_TMP/mine" "$KML_TMP/theirs" "$KML_TMP/all" "$KML_TMP/link"
	mkdir "$KML_TMP/mine" "$KML_TMP/theirs" "$KML_TMP/all"
	chown 12345 "$KML_TMP/theirs"
	chmod 1777 "$KML_TMP/all"
	ln -s mine "$KML_TMP/link"
	tool 3 watch -c 1 --log "$KML_TMP/theirs" && complains 'another user (12345)' &&
		tool 3 watch -c 1 --log "$KML_TMP/all" && complains '(mode 1777)' &&
		tool 3 watch -c 1 --log "$KML_TMP/link/" && complains 'a symbolic link' || return
	ln -s ../all/file "$KML_TMP/mine/samples.tsv"
	tool 3 watch -c 1 --log "$KML_TMP/mine" && complains 'a symbolic link' &&
		tool 3 scan -o "$KML_TMP/mine/samples.tsv" && complains 'a symbolic link' ||
		return
	find "$KML_TMP/theirs" "$KML_TMP/all" -type f | grep . && return 1
	rm "$KML_TMP/mine/samples.tsv"
	tool 0 watch -c 1 --log "$KML_TMP/mine" && [ -s "$KML_TMP/mine/samples.tsv" ]
}

# The tool opens the control file for each command. What is at its path by then need
# not be that of a debugfs.
debugfs_goes()
{
	mkdir "$KML_TMP/debugfs" && mount -t debugfs none "$KML_TMP/debugfs" || return
	tool 3 run --debugfs "$KML_TMP/debugfs" -- \
		sh -c "umount $KML_TMP/debugfs && echo precious > $KML_TMP/debugfs/kmemleak" &&
		complains 'is in no debugfs any more' &&
		[ "$(cat "$KML_TMP/debugfs/kmemleak")" = precious ]
	status=$?
	umount "$KML_TMP/debugfs" 2> /dev/null
	rm -r "$KML_TMP/debugfs"
	return "$status"
}

# A signal that ends the tool ends the program, too. A child of the program sends it, as
# timeout does: in the background a shell has SIGINT ignored. It waits until the program
# is one that does not ignore SIGQUIT, as a shell does.
run_is_ended()
{
	for signal in INT QUIT TERM HUP; do
		# shellcheck disable=SC2016
		"$TOOL" run -- sh -c '{
				until grep -q sleep /proc/$$/comm; do usleep 1000; done
				kill -$0 $PPID
			} &
			exec sleep 1000' $signal \
			> "$KML_TMP/out" 2> "$KML_TMP/err"
		status=$?
		number=$(kill -l $signal)
		[ "$status" = $((128 + number)) ] && [ ! -s "$KML_TMP/out" ] &&
			! cat /proc/[0-9]*/cmdline | tr '\0' ' ' | grep '[s]leep 1000' && continue
		echo "SIG$signal: status $status"
		return 1
	done
}

[ -x "$TOOL" ] || { ktap_print_header; kml_skip_all "the tool has not been built"; }
kml_setup 26

kml_test "scan: nothing is lost" scan_finds_nothing
kml_test "scan: a leak" scan_finds
kml_test "scan: a log" log_is_read
kml_test "scan: copies" copies_are_read
kml_test "scan: what hangs from another leak" scan_tells_direct
kml_test "scan, run, module: with a detector that tells less" like_an_older_one
kml_test "run: what the program leaks" run_finds
kml_test "run: a proof" run_is_exact
kml_test "run: leaks count for more than how it ended" run_prefers_leaks
kml_test "run: how it ended" run_without_leaks
kml_test "run: ended by a signal" run_is_ended
kml_test "module: what it leaves behind" module_finds
kml_test "module: nothing left, but a cache came and went" module_without_leaks
kml_test "module: what fails" module_shows_what_fails
kml_test "module: one that is not there" module_cannot_be_had
kml_test "module: one that cannot be unloaded" module_cannot_go
kml_test "watch: a leak and a cache that grows" watch_finds
kml_test "top: without a terminal" top_is_scan
kml_test "slab: caches" slab_shows
kml_test "a wrong command line" tool 2 scan --growth
kml_test "no debugfs" no_debugfs
kml_test "a kernel without the detector" not_built_in
kml_test "not root" not_root
kml_test "nowhere to write to" nowhere_to_write
kml_test "a place that is not safe to write to" unsafe_to_write
kml_test "debugfs is unmounted meanwhile" debugfs_goes

kml_finish
