#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests ktap.awk, on whose counting all other results rest.

set -eu
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# check TITLE EXPECTED: the KTAP on standard input makes these lines
check()
{
	awk -v where=w -f "$top/scripts/ktap.awk" > "$work/got"
	if printf '%s\n' "$2" | diff - "$work/got" > "$work/diff"; then
		echo "ok - counting: $1"
	else
		echo "not ok - counting: $1"
		sed 's/^/    /' "$work/diff"
	fi
}

check "a suite of KUnit" "ok - w: suite: one
not ok - w: suite: two
    two: EXPECTATION FAILED
ok - w: suite: param: a
skip - w: suite: three # no" <<EOF
KTAP version 1
1..1
    KTAP version 1
    # Subtest: suite
    1..4
    # one: some figure
    ok 1 one
    # two: EXPECTATION FAILED
    not ok 2 two
        KTAP version 1
        # Subtest: param
        ok 1 a
    ok 3 param
    ok 4 three # SKIP no
# suite: pass:2 fail:1 skip:1 total:4
not ok 1 suite
EOF

check "scripts under kselftest's runner" "ok - w: a.sh: one
not ok - w: a.sh: two
    3 not found
ok - w: b.sh: one
skip - w: selftests: kmemleak: c.sh #
ok - w: selftests: kmemleak: d" <<EOF
TAP version 13
1..4
# timeout set to 45
# selftests: kmemleak: a.sh
# TAP version 13
# 1..2
# ok 1 one
# # 3 not found
# not ok 2 two
# # Totals: pass:1 fail:1 xfail:0 xpass:0 skip:0 error:0
not ok 1 selftests: kmemleak: a.sh # exit=1
# timeout set to 45
# selftests: kmemleak: b.sh
# TAP version 13
# 1..1
# ok 1 one
ok 2 selftests: kmemleak: b.sh
# selftests: kmemleak: c.sh
# TAP version 13
# 1..0 # SKIP no such thing
ok 3 selftests: kmemleak: c.sh # SKIP
# selftests: kmemleak: d
ok 4 selftests: kmemleak: d
EOF

check "a script that dies" "ok - w: a.sh: one
not ok - w: selftests: kmemleak: a.sh # exit=139: 3 tests planned, 1 run" <<EOF
TAP version 13
1..1
# selftests: kmemleak: a.sh
# TAP version 13
# 1..3
# ok 1 one
not ok 1 selftests: kmemleak: a.sh # exit=139
EOF

check "a script that dies before its plan" \
	"not ok - w: selftests: kmemleak: a.sh # exit=2
    a.sh: line 3: syntax error" <<EOF
TAP version 13
1..1
# selftests: kmemleak: a.sh
# a.sh: line 3: syntax error
not ok 1 selftests: kmemleak: a.sh # exit=2
EOF

check "a script that fails after its tests" "ok - w: a.sh: one
not ok - w: selftests: kmemleak: a.sh # TIMEOUT 45 seconds: failed outside its tests" <<EOF
TAP version 13
1..1
# selftests: kmemleak: a.sh
# 1..1
# ok 1 one
not ok 1 selftests: kmemleak: a.sh # TIMEOUT 45 seconds
EOF

check "a guest that dies within a script" "ok - w: s: one
ok - w: a.sh: one
not ok - w: at the end: 2 tests planned, 1 run
not ok - w: at the end: 2 tests planned, 0 run" <<EOF
KTAP version 1
1..1
    # Subtest: s
    1..1
    ok 1 one
ok 1 s
TAP version 13
1..2
# selftests: kmemleak: a.sh
# 1..2
# ok 1 one
EOF

check "a test that says much" "not ok - w: a
$(seq 11 30 | sed 's/^/    /')" <<EOF
1..1
$(seq 30 | sed 's/^/# /')
not ok 1 a
EOF

check "more tests than planned" "ok - w: a
ok - w: b
not ok - w: at the end: 1 tests planned, 2 run" <<EOF
1..1
ok 1 a
ok 2 b
EOF

check "no plan" "ok - w: a
not ok - w: at the end: 0 tests planned, 1 run" <<EOF
ok 1 a
EOF

check "nothing at all" "not ok - w: no test ran" < /dev/null

again=$(awk -v where=w -v again=1 -f "$top/scripts/ktap.awk" < /dev/null)
if [ -z "$again" ]; then
	echo "ok - counting: nothing at all, but for now"
else
	echo "not ok - counting: nothing at all, but for now: $again"
fi
