# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Work that comes and goes beside a test, all the time: processes, pipes, files, modules
# and sockets. To be sourced after kmemleak_lib.sh.

# kml_loop COMMAND...: again and again, as long as there is the file, and the test. Whoever
# waits for the end of what a test has to say does not wait for the loops.
kml_loop()
{
	while [ -e "$KML_TMP/run" ]; do
		"$@" || echo "$* has failed"
		usleep 10000
		[ -e "/proc/$$" ] || rm -f "$KML_TMP/run"
	done >> "$KML_TMP/failures" 2>&1 &
	LOOPS="$LOOPS $!"
}

# A shell would not start a program for what it can do itself.
kml_busy_processes()
{
	/usr/bin/env true && (exit 0) && [ "$(/usr/bin/env echo text)" = text ]
}

kml_busy_pipes()
{
	[ "$(head -c 100000 /dev/zero | cat | wc -c)" = 100000 ]
}

kml_busy_files()
{
	files=$KML_TMP/files
	mkdir -p "$files/a/b" && head -c 20000 /dev/zero > "$files/a/file" &&
		ln -s ../file "$files/a/b/link" && mv "$files/a/file" "$files" && rm -r "$files"
}

kml_busy_modules()
{
	insmod "$KML_HERE/test_modules/kmemleak_lifecycle.ko" && rmmod kmemleak_lifecycle
}

kml_start_loops()
{
	LOOPS=
	: > "$KML_TMP/run"
	kml_loop kml_busy_processes
	kml_loop kml_busy_pipes
	kml_loop kml_busy_files
	kml_loop kml_busy_modules
	kml_loop "$KML_HERE/kmemleak_load" "$KML_TMP/run"
}

kml_stop_loops()
{
	rm -f "$KML_TMP/run"
	# shellcheck disable=SC2086
	wait $LOOPS
}

# None of the loops has failed at what it does.
kml_loops_stop()
{
	kml_stop_loops
	sort "$KML_TMP/failures" | uniq -c
	[ ! -s "$KML_TMP/failures" ]
}
