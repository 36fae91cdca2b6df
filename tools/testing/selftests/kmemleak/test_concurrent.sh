#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Scans that are interrupted, and commands from several processes at once.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

# Commands that each process of the storm writes, and how many of these there are.
COMMANDS=40
WRITERS=4
# Microseconds between the first and the second of two writers.
DELAYS="0 1000 5000 20000 50000 100000 200000 400000"
# Objects that make a scan so long that it is not over before it can be ended.
MANY=500000
# With lockdep a scan takes seconds.
if [ -e /proc/lockdep ]; then
	COMMANDS=8
	MANY=50000
	DELAYS="0 100000 1000000"
fi

# scan_with_signal MILLISECONDS: the answer to a scan that gets a signal then.
scan_with_signal()
{
	printf scan | "$KML_HERE/kmemleak_ctl" write "$KML_FILE" "$1"
}

expected_found()
{
	kml_scan && kml_expected | kml_compare quiet yes
}

# Some leaks in the report, others that the next scan will find.
leak_twice()
{
	kml_make retire && kml_make leak && kml_scan && kml_make leak &&
		kml_records > "$KML_TMP/before"
}

# interrupted ANSWER: it is EINTR, and the report is as it was.
interrupted()
{
	if [ "$1" != EINTR ]; then
		echo "the answer is $1"
		return 1
	fi
	kml_records > "$KML_TMP/after"
	cmp "$KML_TMP/before" "$KML_TMP/after"
}

# At all stages of a scan, until one comes too late for it.
signals_interrupt()
{
	leak_twice || return
	times=0
	for msecs in 1 2 5 10 20 30 50 70 100 150 200 300 500 700 1000 2000 5000; do
		answer=$(scan_with_signal "$msecs")
		[ "$answer" != OK ] || break
		interrupted "$answer" || return
		times=$((times + 1))
	done
	echo "$times scans were interrupted, the last answer is $answer"
	[ "$times" != 0 ] && expected_found
}

# In the wait before a scan, and in scans.
many_signals()
{
	leak_twice || return
	waited=$(kml_stat "last scan ms waited before")
	for msecs in 1 3 5 7 9 11 13 15 17 19 21 23 25 27 29 31 33 35 37 39; do
		answer=$(scan_with_signal $(((msecs % 4 == 3) * ${waited%.*} + msecs)))
		# It was done before that, and has found what the next one would find.
		if [ "$answer" = OK ]; then
			leak_twice || return
			continue
		fi
		interrupted "$answer" || return
	done
	expected_found
}

# By one that waits for a scan of somebody else, who gets an answer.
waiter_interrupted()
{
	leak_twice || return
	kml_expected > "$KML_TMP/wanted"
	kml_ctl scan > "$KML_TMP/answer" &
	answer=$(scan_with_signal 1)
	wait $!
	if [ "$answer $(cat "$KML_TMP/answer")" != "EINTR OK" ]; then
		echo "the answers are $answer and $(cat "$KML_TMP/answer")"
		return 1
	fi
	kml_compare quiet yes < "$KML_TMP/wanted"
}

scan_runs()
{
	[ "$(kml_stat "running scan words")" -gt 0 ]
}

# A scan that runs, for others to meet, which has its answer in a file. Where there is
# little time for who asks, it may be over before it is seen: TOO_LATE.
TOO_LATE=3
# How often that is tried again: beside other guests it may be so many times in a row.
TRIES=30

begin_scan()
{
	kml_ctl scan > "$KML_TMP/answer" &
	scanner=$!
	while ! scan_runs; do
		kill -0 "$scanner" 2> /dev/null || return "$TOO_LATE"
		usleep 1000
	done
}

# in_time COMMAND...: again if it was too late, but not each time.
in_time()
{
	for try in $(seq $TRIES); do
		"$@"
		status=$?
		[ "$status" = "$TOO_LATE" ] || return "$status"
	done
	echo "a scan was over too soon, $try times"
	return 1
}

# Both of two scans, one of which waits for the other one.
stopped_by_scan_off()
{
	leak_twice && begin_scan || return
	kml_ctl scan >> "$KML_TMP/answer" &
	usleep 100000
	kml_do scan=off || return
	wait
	cat "$KML_TMP/answer"
	! grep -q -x OK "$KML_TMP/answer" || return "$TOO_LATE"
	[ "$(sort -u "$KML_TMP/answer")" = ECANCELED ] || return
	kml_records | cmp "$KML_TMP/before" - && expected_found
}

# One that began before the thread, which waits for it.
stopped_with_thread()
{
	leak_twice && begin_scan || return
	kml_do scan=600 && kml_do scan=off || return
	wait
	cat "$KML_TMP/answer"
	! grep -q -x OK "$KML_TMP/answer" || return "$TOO_LATE"
	[ "$(cat "$KML_TMP/answer")" = ECANCELED ] && [ -z "$(kml_threads)" ] && expected_found
}

# However often the shell that asked for a scan tries again what a signal has ended. A
# scan may be over before it can be ended, but not each time.
not_asked_again()
{
	for try in $(seq $TRIES); do
		scans=$(kml_stat scans)
		echo scan > "$KML_FILE" 2> /dev/null &
		while ! scan_runs && kill -0 $! 2> /dev/null; do
			usleep 1000
		done
		kml_do scan=off || return
		wait $! && continue
		[ "$(kml_stat scans)" = "$scans" ] && return
		echo "the scan has failed, and has come to its end"
		return 1
	done
	echo "no scan was ended in $try times"
	return 1
}

# Whoever waits with an address in his hand does not refer to the object.
waiter_refers_to_nothing()
{
	kml_make retire && kml_do clear && kml_make leak && kml_scan || return
	object=$(kml_records | awk '{ print $(NF - 2); exit }')
	begin_scan || return
	kml_do "clear=${object:-of a leak}" && wait && [ "$(cat "$KML_TMP/answer")" = OK ]
}

killed()
{
	leak_twice || return
	printf scan > "$KML_TMP/scan"
	for usecs in 1000 5000 20000 50000 100000; do
		"$KML_HERE/kmemleak_ctl" write "$KML_FILE" < "$KML_TMP/scan" > /dev/null &
		usleep "$usecs"
		kill -KILL $! 2> /dev/null
		wait $!
	done
	expected_found
}

# writer NUMBER: a scan, and the report when it has been answered.
writer()
{
	kml_do scan > "$KML_TMP/answer.$1" && cat "$KML_FILE" > "$KML_TMP/report.$1"
}

# writer_complete NUMBER: all leaks that were made before its scan are there.
writer_complete()
{
	cat "$KML_TMP/answer.$1"
	[ ! -s "$KML_TMP/answer.$1" ] || return
	kml_compare_files "$KML_TMP/report.$1" "$KML_TMP/expected.$1" quiet && return
	status=$?
	echo "by writer $1"
	return "$status"
}

# two_writers USECS: more leaks are made while the first writer's scan may be at
# work. What is expected is asked for before and after, since to tell of an object
# is to point at it for a moment.
two_writers()
{
	kml_make retire && kml_make leak && kml_expected > "$KML_TMP/expected.1" || return
	writer 1 &
	first=$!
	usleep "$1"
	kml_make leak || return
	writer 2 &
	wait "$first" $!
	kml_expected > "$KML_TMP/expected.2"
	writer_complete 1 && writer_complete 2
}

each_answer_complete()
{
	for usecs in $DELAYS; do
		two_writers "$usecs" || return
	done
}

# The same leaks, for writers who begin at once.
same_leaks_for_all()
{
	kml_make retire && kml_make leak && kml_expected > "$KML_TMP/expected.1" || return
	for number in 1 2 3; do
		cp "$KML_TMP/expected.1" "$KML_TMP/expected.$number" 2> /dev/null
		writer "$number" &
	done
	wait
	writer_complete 1 && writer_complete 2 && writer_complete 3
}

# A command of a storm, and the answers that it may get, by number.
storm_command()
{
	case $1 in
	0 | 1) echo "scan OK ECANCELED" ;;
	2) echo "scan=on OK" ;;
	3) echo "scan=off OK" ;;
	4) echo "scan=1 OK" ;;
	5) echo "stack=on OK" ;;
	6) echo "stack=off OK" ;;
	7) echo "clear OK" ;;
	8) echo "dump=$2 OK EINVAL ECANCELED" ;;
	9) echo "dump=0x10 EINVAL" ;;
	10) echo "scanx EINVAL" ;;
	11) echo "scan=-1 EINVAL" ;;
	12) echo "$(head -c 3000 /dev/zero | tr '\0' x) EINVAL" ;;
	esac
}

# storm SEED: commands one after the other, in an order of its own, and what is
# answered that may not be.
storm()
{
	rnd=$1
	object=$(kml_records | awk '{ print $(NF - 2); exit }')
	for command in $(seq "$COMMANDS"); do
		rnd=$(((rnd * 1103515245 + 12345) % 2147483648))
		# shellcheck disable=SC2046
		set -- $(storm_command $((rnd / 65536 % 13)) "${object:-0x10}")
		command=$1
		shift
		answer=$(kml_ctl "$command")
		case " $* " in
		*" $answer "*) ;;
		*) echo "$command is answered with $answer" ;;
		esac
	done
}

# Leaks and reports come and go meanwhile.
commotion()
{
	while [ -e "$KML_TMP/run" ]; do
		kml_make leak && cat "$KML_FILE" > /dev/null && kml_make free
	done
}

storm_answers()
{
	: > "$KML_TMP/run"
	commotion > "$KML_TMP/commotion" &
	commotion=$!
	storms=
	for number in $(seq "$WRITERS"); do
		storm "$number" > "$KML_TMP/storm.$number" 2>&1 &
		storms="$storms $!"
	done
	# shellcheck disable=SC2086
	wait $storms
	rm "$KML_TMP/run"
	wait "$commotion"
	cat "$KML_TMP/storm."* "$KML_TMP/commotion" > "$KML_TMP/complaints"
	cat "$KML_TMP/complaints"
	[ ! -s "$KML_TMP/complaints" ]
}

# No record but those of the leaks that are made now.
right_after_storm()
{
	kml_make free && kml_make leak && expected_found || return
	kml_strangers 'kmemleak_[a-z_]*' > "$KML_TMP/strangers"
	tr ';' '\n' < "$KML_TMP/strangers"
	[ ! -s "$KML_TMP/strangers" ]
}

# The period that a thread has by default, for whoever starts the next one.
calm_down()
{
	kml_do stack=on && kml_do scan=600 && kml_do scan=off && [ -z "$(kml_threads)" ]
}

kml_setup 13 kmemleak_selftest

kml_test "a signal interrupts a scan, which changes nothing" signals_interrupt
kml_test "so do many signals" many_signals
kml_test "a signal interrupts one that waits for a scan" waiter_interrupted
kml_test "the scan of a process that is killed changes nothing" killed
kml_make "many=$MANY" > /dev/null
kml_test "scan=off ends scans, which changes nothing" in_time stopped_by_scan_off
kml_test "and the thread that waits for one" in_time stopped_with_thread
kml_test "and no shell asks for it again" not_asked_again
kml_test "an address that waits for a scan is no reference" in_time waiter_refers_to_nothing
kml_make free > /dev/null
kml_test "two scans at once are both complete" each_answer_complete
kml_test "three scans that begin at once are complete" same_leaks_for_all
kml_make free > /dev/null
kml_test "each command gets its answer while $WRITERS processes write" storm_answers
kml_test "the thread can be stopped after that" calm_down
kml_test "one scan finds a leak after that, and nothing else" right_after_storm

kml_finish
