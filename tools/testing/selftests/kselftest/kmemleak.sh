# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# To be sourced by runner.sh: looks for memory that the kernel has lost after each test.
#
#   KMEMLEAK=1     a test that loses memory fails
#   KMEMLEAK=warn  only say so
#
# It needs the command-line tool of tools/mm/kmemleak: KMEMLEAK_TOOL, or the one in PATH,
# or the one that the tests of the detector have. What was lost before the first test, and
# what the test before has lost, is set aside: the report of the detector no longer has it.

KMEMLEAK_CONTROL=${KMEMLEAK_DEBUGFS:-/sys/kernel/debug}/kmemleak

kmemleak_find_tool()
{
	for kmemleak_tool in "${KMEMLEAK_TOOL:-kmemleak}" "$BASE_DIR/kmemleak/kmemleak" \
			"$BASE_DIR/../../mm/kmemleak/kmemleak"; do
		command -v "$kmemleak_tool" > /dev/null && return
	done
	kmemleak_tool=
}

# Says nothing but why there is no answer. Returns 0 without leaks, 1 with leaks, or another
# status.
kmemleak_scan()
{
	if [ -z "$kmemleak_tool" ]; then
		echo "there is no tool \"kmemleak\": build tools/mm/kmemleak, or set KMEMLEAK_TOOL"
		return 3
	fi
	"$kmemleak_tool" scan 2>&1
}

# kmemleak_run COMMAND...: runs a test, with its status, unless it loses memory.
kmemleak_run()
{
	"$@"
	kmemleak_rc=$?
	case ${KMEMLEAK:-0} in
	0)	return $kmemleak_rc ;;
	esac

	kmemleak_said=$(kmemleak_scan)
	case $? in
	0)	echo "kmemleak: no new leaks" ;;
	1)	echo "kmemleak: ${kmemleak_said%% *} new leaks"
		echo "$kmemleak_said"
		echo clear > "$KMEMLEAK_CONTROL"
		# One that was skipped has lost it all the same.
		[ "$KMEMLEAK" = warn ] || { [ $kmemleak_rc != 0 ] && [ $kmemleak_rc != 4 ]; } ||
			kmemleak_rc=1 ;;
	*)	echo "kmemleak: this test was NOT checked for leaks: $kmemleak_said" ;;
	esac
	return $kmemleak_rc
}

case ${KMEMLEAK:-0} in
0)	;;
*)	kmemleak_find_tool
	kmemleak_scan > /dev/null
	[ $? != 1 ] || echo clear > "$KMEMLEAK_CONTROL" ;;
esac
