#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# test-guest.sh NAME CPUS MEMORY SECONDS ["OPTION=VALUE..."] [TEST...]: boots a kernel,
# with these options, which runs the KUnit suites, runs the selftests in the guest, or
# some of them, and looks for splats on its console. ROW is what a row of the matrix is
# called.

set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
kernel_setup "$1"

guest=$1-$2cpus
where="$1, $2 CPUs"
[ "$kver" = 6.12 ] || where="Linux $kver, $where"
seconds=$4 cpus_wanted=$2 memory_wanted=$3
shift 4
options=
if [ $# -gt 0 ] && [ "${1#*=}" != "$1" ]; then
	options=" $1"
	guest=$guest-${1%%=*}
	where="$where, ${1%% *}"
	shift
fi
[ -z "${ROW:-}" ] || guest=matrix-$ROW where=$ROW
log=$logs/$guest

# Attempts at tests beyond the first ones. All selftests together took 14 on 2 CPUs, one
# for each of 12 tests and two for another one; a word that hides a leak again and again
# has cost one test more than 5.
further_most=20

# What the kernel prints when it, or a debugging option, found something wrong.
splats='BUG:|WARNING:|Oops|Kernel panic|Unable to handle kernel|cut here'
splats="$splats|INFO: (possible|trying|rcu|task)|self-detected stall|soft lockup"
splats="$splats|sleeping function|suspicious RCU|possible .* detected|inconsistent lock"
splats="$splats|list_(add|del) corruption|refcount_t:|ODEBUG:|UBSAN|blocked for more"
splats="$splats|held lock freed|lock held when returning|bad page|Bad page"

# The results as they come. mawk would wait for a full buffer.
line_by_line=
! awk -W version 2>&1 < /dev/null | grep -q mawk || line_by_line="-W interactive"

# If there will be another try, it is no failure that no test ran.
run_tests()	# AGAIN TEST...
{
	again=$1
	shift
	: > "$log.results"
	guest_run "$guest" "$seconds" "$cpus_wanted" "$memory_wanted" \
		"kunit.enable=1$options -- tests $*" &
	runner=$!
	# shellcheck disable=SC2086
	tail -f -n +1 -s 0.2 --pid=$runner "$log.results" 2> /dev/null |
		awk $line_by_line -v where="$where" -v again="$again" -f "$top/scripts/ktap.awk"
	wait $runner
}

# QEMU 7.2 may run a breakpoint that is not there any more: see test_on.sh. Linux 7.2 has
# met that while it booted.
fell_over_while_booting()
{
	[ ! -s "$log.results" ] && grep -q 'Oops: int3' "$log.console"
}

guest_place
ended=0
run_tests 1 "$@" || ended=$?
if [ $ended != 0 ] && fell_over_while_booting; then
	echo "$where: QEMU ran code that had been patched, and boots again"
	ended=0
	run_tests '' "$@" || ended=$?
elif ! grep -q -E '^[ #]*(not )?ok ' "$log.results"; then
	echo "not ok - $where: no test ran"
fi
! grep -q "^[ #]*not ok " "$log.results" || echo "    (what failed tests have to say: $log.results)"

if [ $ended = 0 ]; then
	echo "ok - $where: ran to its end"
else
	echo "not ok - $where: ran to its end"
	guest_complain "$guest"
fi

# Tests that have missed leaks get further attempts, see kmemleak_lib.sh.
further=$(grep -c '^# # further attempt: ' "$log.results") || :
if [ "$further" -le "$further_most" ]; then
	echo "ok - $where: $further further attempts, at most $further_most"
else
	echo "not ok - $where: $further further attempts, at most $further_most"
	grep '^# # further attempt: ' "$log.results" | sort | uniq -c
fi

# Data races have a check of their own, since those of others are not ours.
expected=$top/tools/testing/selftests/kmemleak/kmemleak_splats.awk
if awk -f "$expected" "$log.console" | grep -n -E -e "$splats" |
   grep -v "BUG: KCSAN:" > "$log.splats" ||
   [ ! -s "$log.console" ]; then
	echo "not ok - $where: no splat on the console"
	first=$(sed -n '1s/:.*//p' "$log.splats")
	{
		head -n 20 "$log.splats"
		# Tests say on the console that they begin; before the first one it is KUnit.
		echo "the first of them, after: $(head -n "${first:-1}" "$log.console" |
			sed -n 's/.*kmemleak selftest: \(test_[a-z_]*\.sh\).*/\1/p' |
			tail -n 1)"
		tail -n "+${first:-1}" "$log.console" | head -n 40
	} | tr -d '\r' | sed 's/^/    /'
	echo "    (the whole console: $log.console)"
else
	echo "ok - $where: no splat on the console"
fi

# Races are found in stacks, which have names of functions: those of the detector,
# without its tests.
own_functions()
{
	find "$objects/mm/kmemleak" ! -path "*/tests/*" -name '*.o' -exec "${cross}nm" {} + |
		awk '$2 ~ /^[tT]$/ { print $3 }' | sort -u
}

if grep -q "^CONFIG_KCSAN=y" "$objects/.config"; then
	own_functions > "$log.functions"
	if ! grep -q "kcsan: enabled" "$log.console" || ! grep -q kml_scan "$log.functions"; then
		echo "not ok - $where: no data race in the detector"
		echo "    (nobody looked for one)"
	elif awk -f "$top/scripts/kcsan.awk" "$log.functions" "$log.console" > "$log.races"; then
		echo "ok - $where: no data race in the detector"
		sed 's/^/    /' "$log.races"
	else
		echo "not ok - $where: no data race in the detector"
		sed 's/^/    /' "$log.races"
	fi
fi
