#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Cases of KUnit are followed by scans, and fail if they lose memory.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

PARAM=/sys/module/kunit/parameters/kmemleak
RESULTS=$KML_DEBUGFS/kunit
MODULE=$KML_HERE/test_modules/kmemleak_losing.ko

# run_suites VALUE: of the parameter. What the suites say goes to files.
run_suites()
{
	echo "$1" > "$PARAM" && insmod "$MODULE" || return
	for suite in "" _exit _never _always; do
		cat "$RESULTS/kmemleak_losing$suite/results" > "$KML_TMP/suite$suite" || break
	done
	status=$?
	rmmod kmemleak_losing && echo N > "$PARAM" && return "$status"
}

# verdicts SUITE LINE...: those of its cases, in this order.
verdicts()
{
	suite=$1
	shift
	printf '%s\n' "$@" > "$KML_TMP/want"
	sed -nE 's/^ *((not )?ok [0-9]+ (losing_|param )[a-z0-9 ]*).*/\1/p' "$KML_TMP/suite$suite" |
		sed 's/ *$//' > "$KML_TMP/got"
	diff "$KML_TMP/want" "$KML_TMP/got" && return
	sed 's/^/suite: /' "$KML_TMP/suite$suite"
	return 1
}

cases_fail()
{
	run_suites Y || return
	verdicts "" "ok 1 losing_nothing" "not ok 2 losing_all" "ok 3 losing_kept" \
		"not ok 4 losing_failed" "ok 1 param 1" "not ok 2 param 2" "ok 3 param 3" \
		"not ok 5 losing_param" "ok 1 param 1" "not ok 6 losing_late" \
		"ok 7 losing_nothing"
}

# With what the case before has left.
records_in_log()
{
	leaks=$(grep -c '# losing_.*: kmemleak: [0-9]* objects were allocated and lost' \
		"$KML_TMP/suite")
	records=$(grep -c '^ *# unreferenced object 0x[0-9a-f]* (size [0-9]*):$' "$KML_TMP/suite")
	frames=$(grep -c '^ *#     lose_some+0x.* \[kmemleak_losing\]$' "$KML_TMP/suite")
	echo "$leaks, $records records, $frames frames"
	# Of each of the four there are at most five.
	[ "$leaks" = 4 ] && [ "$records" -ge 4 ] && [ "$records" -le 20 ] &&
		[ "$frames" = "$records" ]
}

exit_fails()
{
	verdicts _exit "ok 1 losing_kept" &&
		grep -q '# kmemleak_losing_exit: kmemleak: [0-9]* objects .* after its cases$' \
			"$KML_TMP/suite_exit" &&
		grep -q '^not ok [0-9]* kmemleak_losing_exit' "$KML_TMP/suite_exit" && return
	sed 's/^/suite: /' "$KML_TMP/suite_exit"
	return 1
}

attribute_counts()
{
	verdicts _never "ok 1 losing_all" &&
		verdicts _always "ok 1 losing_nothing" "not ok 2 losing_all"
}

only_if_wanted()
{
	run_suites N || return
	verdicts "" "ok 1 losing_nothing" "ok 2 losing_all" "ok 3 losing_kept" \
		"not ok 4 losing_failed" "ok 1 param 1" "ok 2 param 2" "ok 3 param 3" \
		"ok 5 losing_param" "ok 1 param 1" "ok 6 losing_late" "ok 7 losing_nothing" &&
		verdicts _exit "ok 1 losing_kept" && verdicts _never "ok 1 losing_all" &&
		verdicts _always "ok 1 losing_nothing" "not ok 2 losing_all" &&
		! grep 'kmemleak: ' "$KML_TMP/suite"
}

kml_setup 5
[ -e "$PARAM" ] || kml_skip_rest "a KUnit that looks for leaks is not there"
[ -e "$MODULE" ] || kml_skip_rest "no module has been built for it"

kml_test "a case that loses memory fails, and no other one" cases_fail
kml_test "its log has records" records_in_log
kml_test "a suite that does so in its exit fails" exit_fails
kml_test "a suite may want it always, or never" attribute_counts
kml_test "without the parameter nothing is looked at" only_if_wanted

kml_finish
