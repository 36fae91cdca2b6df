#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# recipe_each.sh COMMAND... < TESTS: runs COMMAND with each test, of which there is one in
# a line, and fails if one of them fails or loses memory
worst=0
while read -r test; do
	kmemleak run -o leaks.txt -- "$@" "$test" < /dev/null
	status=$?
	case $status in
	0)	echo "ok - $test" ;;
	1)	echo "not ok - $test: loses memory"
		sed 's/^/# /' leaks.txt ;;
	3)	echo "not ok - $test: cannot look for leaks"
		exit 3 ;;
	*)	echo "not ok - $test" ;;
	esac
	[ $status = 0 ] || worst=1
done
exit $worst
