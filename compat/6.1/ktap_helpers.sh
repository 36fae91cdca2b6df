# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# KTAP for tests in shell: of what newer kernels have in a file of this name, what
# the tests of kmemleak use.

KSFT_PASS=0
KSFT_FAIL=1
# shellcheck disable=SC2034 # for those that source it
KSFT_SKIP=4

# Of the next test, and of all that are planned.
KTAP_TESTNO=1
KSFT_NUM_TESTS=0

ktap_passed=0
ktap_failed=0
ktap_skipped=0

ktap_print_header()
{
	echo "TAP version 13"
}

ktap_set_plan()	# NUMBER
{
	KSFT_NUM_TESTS=$1
	echo "1..$1"
}

ktap_skip_all()	# REASON...
{
	echo "1..0 # SKIP $*"
}

ktap_result()	# ok|not ok DESCRIPTION
{
	echo "$1 $KTAP_TESTNO $2"
	KTAP_TESTNO=$((KTAP_TESTNO + 1))
}

ktap_test_pass()	# DESCRIPTION
{
	ktap_passed=$((ktap_passed + 1))
	ktap_result ok "$*"
}

ktap_test_fail()	# DESCRIPTION
{
	ktap_failed=$((ktap_failed + 1))
	ktap_result "not ok" "$*"
}

ktap_test_skip()	# DESCRIPTION
{
	ktap_skipped=$((ktap_skipped + 1))
	ktap_result ok "$* # SKIP"
}

# Exits with what kselftest takes for the result of all tests.
ktap_finished()
{
	echo "# Totals: pass:$ktap_passed fail:$ktap_failed xfail:0 xpass:0" \
		"skip:$ktap_skipped error:0"
	[ "$((ktap_passed + ktap_skipped))" = "$KSFT_NUM_TESTS" ] || exit "$KSFT_FAIL"
	exit "$KSFT_PASS"
}
