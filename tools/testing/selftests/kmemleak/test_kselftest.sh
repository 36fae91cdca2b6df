#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests of kselftest are followed by scans, and fail if they lose memory.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

RUNNER=$KML_HERE/../run_kselftest.sh
LEAKY=$KML_HERE/test_modules/kmemleak_leaky.ko

# A kselftest of our own.
make_tree()
{
	mkdir -p "$TREE/demo" && cp "$RUNNER" "$TREE" && cp -R "$KML_HERE/../kselftest" "$TREE" ||
		return
	while read -r test script; do
		printf '#!/bin/sh\n%s\n' "$script" > "$TREE/demo/$test"
		chmod +x "$TREE/demo/$test"
		echo "demo:$test"
	done > "$TREE/kselftest-list.txt" <<-TESTS
		clean.sh	exit 0
		loses.sh	insmod $LEAKY pattern=condition && rmmod kmemleak_leaky
		fails.sh	insmod $LEAKY pattern=error_path && rmmod kmemleak_leaky; exit 3
		skips.sh	exit 4
		after.sh	exit 0
	TESTS
}

# run_tree NAME=VALUE...: with that in the environment. By way of a pipe, as the runner
# opens its output once more, to append to it.
run_tree()
{
	env KMEMLEAK_TOOL="$KML_HERE/kmemleak" "$@" "$TREE/run_kselftest.sh" 2>&1 |
		cat > "$KML_TMP/ran"
	sed -nE 's/^((not )?ok [0-9]+) selftests: demo: ([a-z]*)\.sh/\1 \3/p' "$KML_TMP/ran" \
		> "$KML_TMP/verdicts"
}

verdicts()	# LINE...
{
	printf '%s\n' "$@" > "$KML_TMP/want"
	diff "$KML_TMP/want" "$KML_TMP/verdicts" && return
	sed 's/^/ran: /' "$KML_TMP/ran"
	return 1
}

says()	# COUNT PATTERN: the log does so often
{
	[ "$(grep -c -e "$2" "$KML_TMP/ran")" = "$1" ] && return
	echo "not $1 times: $2"
	sed 's/^/ran: /' "$KML_TMP/ran"
	return 1
}

found()
{
	grep -q '^#     leaky_transfer+' "$KML_TMP/ran" &&
		grep -q '^#     leaky_probe+' "$KML_TMP/ran"
}

loses()
{
	insmod "$LEAKY" pattern=exit_buffer && rmmod kmemleak_leaky && run_tree KMEMLEAK=1 || return
	found || return "$HIDDEN"
	verdicts "ok 1 clean" "not ok 2 loses # exit=1" "not ok 3 fails # exit=3" \
		"ok 4 skips # SKIP" "ok 5 after" && says 2 '^# kmemleak: 1 new leaks$' &&
		says 3 '^# kmemleak: no new leaks$' && says 0 leaky_load_firmware
}

warns()
{
	run_tree KMEMLEAK=warn
	found || return "$HIDDEN"
	verdicts "ok 1 clean" "ok 2 loses" "not ok 3 fails # exit=3" \
		"ok 4 skips # SKIP" "ok 5 after" && says 2 '^# kmemleak: 1 new leaks$'
}

nothing()
{
	for value in '' 0; do
		before=$(kml_stat scans)
		run_tree KMEMLEAK=$value
		verdicts "ok 1 clean" "ok 2 loses" "not ok 3 fails # exit=3" \
			"ok 4 skips # SKIP" "ok 5 after" && says 0 kmemleak: &&
			[ "$(kml_stat scans)" = "$before" ] || return
	done
}

cannot()
{
	run_tree KMEMLEAK=1 KMEMLEAK_TOOL=/nowhere PATH=/bin
	verdicts "ok 1 clean" "ok 2 loses" "not ok 3 fails # exit=3" \
		"ok 4 skips # SKIP" "ok 5 after" &&
		says 5 'NOT checked for leaks: there is no tool' || return
	run_tree KMEMLEAK=1 KMEMLEAK_DEBUGFS="$KML_TMP"
	says 5 'NOT checked for leaks: .* no debugfs is mounted'
}

kml_setup 4
TREE=$KML_TMP/kselftest
[ -e "$KML_HERE/../kselftest/kmemleak.sh" ] ||
	kml_skip_rest "a kselftest that looks for leaks is not there"
[ -x "$KML_HERE/kmemleak" ] || kml_skip_rest "the tool has not been built"
make_tree || exit

kml_test "KMEMLEAK=1: a test that loses memory fails" loses
kml_test "KMEMLEAK=warn: it is said" warns
kml_test "without KMEMLEAK nothing is looked at" nothing
kml_test "what stands in the way is said" cannot

kml_finish
