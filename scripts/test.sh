#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Every test, or with MATRIX those of other kernels and machines: of all rows of
# matrix.tbl, if it is 1, or of those that it names. Each part says "ok - TEST", "not ok
# - TEST" or "skip - TEST # WHY" for each of its tests; they are counted here.

set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
. "$(dirname "$0")/matrix.sh"

results=$logs/results
guests=$logs/guests
begin=$(date +%s)

# part TITLE COMMAND...: a part that stops before its end is a failed test.
part()
{
	title=$1
	shift
	echo "==> $title"
	{ "$@" 2>&1 || echo "not ok - $title: stopped with status $?"; } | tee -a "$results"
}

# Guests come first: they are what takes longest.
build_kernel()
{
	if nice -n 5 "$top/scripts/kernel.sh" "$1"; then
		echo "ok - build: $1, without a warning"
	else
		echo "not ok - build: $1, without a warning"
		return 1
	fi
}

# A guest must not run what an earlier build has left.
kernel_for_guests()	# NAME
{
	build_kernel "$1" || { echo "not ok - $1: no kernel to test"; return 1; }
	"$top/scripts/initramfs.sh" "$1" || { echo "not ok - $1: no guest to test"; return 1; }
}

# guest TITLE ARGS...: a guest as of test-guest.sh, beside what follows: it mostly waits.
# With timeout, to be stopped with all that it has started. A session of its own would
# have a share of its own of the processors, however nice others are.
guest()
{
	title=$1
	shift
	log=$logs/guest-$(wc -l < "$guests").log
	echo "==> $title: beside what follows"
	timeout 21600 "$top/scripts/test-guest.sh" "$@" > "$log" 2>&1 &
	echo "$! $title" >> "$guests"
}

# What guests have to tell, in the order in which they were started, as it comes.
tell_guests()
{
	nr=0
	while read -r pid title; do
		log=$logs/guest-$nr.log
		nr=$((nr + 1))
		echo "==> $title"
		tail -f -n +1 -s 0.5 --pid="$pid" "$log"
		grep -q ': ran to its end$' "$log" || echo "not ok - $title: stopped before its end"
	done < "$guests"
}

stop_guests()
{
	while read -r pid _; do
		kill "$pid" 2> /dev/null || :
	done < "$guests"
}

# By one thread of QEMU's: see test_on.sh.
one_thread()
{
	export GUEST_ACCEL=tcg,thread=single
}

# test_off KERNEL TEST.sh...: what it takes to be on does not depend on more threads.
test_off()
{
	one_thread
	kernel=$1
	shift
	guest "$kernel, booted with kmemleak=off" "$kernel" 2 1G 1200 \
		"kmemleak=off kunit.enable=0" SINGLE=1 no-kunit "$@"
}

test_release()
{
	kernel_for_guests arm64 || return 0
	run_demos
	guest "the kernel with the detector: all tests" arm64 2 1G 2400
	# How commands and files read does not depend on the number of CPUs, nor what there
	# is of memory. Of KUnit's suites, those of the store and of scans. In 6.1, files of
	# debugfs go on to refer to suites that were chosen so, when these have been freed.
	few='kunit.filter_glob=kmemleak_[qrs]*'
	[ "$kver" != 6.1 ] || few=kunit.enable=1
	# The row large of the matrix has 8 CPUs, and test_recall.sh.
	# shellcheck disable=SC2086
	guest "the same kernel, 4 CPUs: some tests" arm64 4 1G 1500 "$few" $matrix_words \
		test_churn.sh test_concurrent.sh test_hotplug.sh test_lifecycle.sh test_off.sh
	(test_off arm64 test_boot_off.sh test_late.sh test_on.sh)
	# What users have to expect: nothing makes leaks easier to find. The row init-off of
	# the matrix has more tests.
	# shellcheck disable=SC2086
	guest "the same kernel, without init_on_alloc: recall" arm64 2 1G 1500 \
		"init_on_alloc=0 kunit.enable=0" $matrix_words no-kunit test_recall.sh
}

# What repeats the same many times is tested without it, and so is what commands and files
# do when nothing else goes on. The row debug of the matrix has all tests.
test_debug()
{
	kernel_for_guests arm64-debug || return 0
	guest "the kernel with everything that finds mistakes: some tests" arm64-debug 2 \
		1G 2700 test_recall.sh test_churn.sh test_trickle.sh test_reader.sh \
		test_concurrent.sh test_hotplug.sh test_live.sh test_release.sh \
		test_lifecycle.sh test_oom.sh test_off.sh
	(test_off arm64-debug test_boot_off.sh test_on.sh)
}

# With ORC. All else that is tested of a PC is with ARCH=x86_64.
test_x86_64()
{
	export GUEST_ARCH=x86_64
	"$top/scripts/setup.sh" test || return
	kernel_for_guests x86_64 || return 0
	# shellcheck disable=SC2086
	guest "x86_64: some tests" x86_64 2 1G 1500 kunit.enable=1 $matrix_words \
		test_recall.sh test_churn.sh test_control.sh test_leaks.sh test_live.sh \
		test_annotations.sh test_allocators.sh
}

test_x86_64_whole()
{
	kernel_for_guests x86_64 || return 0
	run_demos
	guest "x86_64: all tests" x86_64 2 1G 2400
	guest "x86_64, 4 CPUs: some tests" x86_64 4 1G 1500 test_recall.sh test_churn.sh \
		test_concurrent.sh test_hotplug.sh test_lifecycle.sh test_oom.sh test_off.sh
	(test_off x86_64 test_boot_off.sh test_late.sh test_on.sh)
}

test_x86_64_fp()
{
	kernel_for_guests x86_64-fp || return 0
	guest "x86_64 with frame pointers: some tests" x86_64-fp 2 1G 1500 test_recall.sh \
		test_churn.sh test_leaks.sh test_live.sh
}

test_x86_64_debug()
{
	kernel_for_guests x86_64-debug || return 0
	guest "x86_64 with everything that finds mistakes: all tests" x86_64-debug 2 1G 2700
}

test_builds()
{
	kernel_setup rock5b-plus
	if [ -n "$device_tree" ]; then
		build_kernel rock5b-plus || :
	else
		echo "skip - build: rock5b-plus # Linux $kver has no device tree for it"
	fi
	[ "$kver" != 6.12 ] || compile_for 6.1
}

# Another kernel has all of these tests, by KVER. Here it is told soon, and at low cost,
# if the detector is not for it any more.
compile_for()	# VERSION
{
	if KVER=$1 "$top/scripts/setup.sh" source && KVER=$1 "$top/scripts/kernel.sh" lint; then
		echo "ok - build: the detector for Linux $1, without a warning"
	else
		echo "not ok - build: the detector for Linux $1, without a warning"
	fi
}

# The newest kernel is where leaks are written: there the detector is built, and what
# is most likely to break is run.
test_newest()	# VERSION
{
	newest=$1
	export KVER="$newest"
	"$top/scripts/setup.sh" test || return
	kernel_for_guests arm64 || return 0
	# shellcheck disable=SC2086
	guest "Linux $newest: some tests" arm64 2 1G 1800 kunit.enable=1 $matrix_words \
		test_recall.sh test_churn.sh test_allocators.sh test_leaks.sh test_control.sh \
		test_reader.sh test_groups.sh test_json.sh test_kunit.sh test_kselftest.sh \
		ksft_kmemleak_confirm.sh ksft_kmemleak_dedup.sh
}

run_demo()	# MACHINE
{
	if MACHINE=$1 "$top/scripts/run.sh" > "$logs/demo-$1.log" 2>&1; then
		echo "ok - make run MACHINE=$1: shows the leak of its driver"
	else
		echo "not ok - make run MACHINE=$1: shows the leak of its driver"
		tail -n 30 "$logs/demo-$1.log" | sed 's/^/    /'
	fi
}

run_demos()
{
	for machine in $(guest_machines); do
		run_demo "$machine"
	done
	if ! told=$(MACHINE=typewriter "$top/scripts/run.sh" 2>&1) &&
	   [ "$told" = "run.sh: no machine is called typewriter; there are: $(guest_machines)" ]; then
		echo "ok - make run MACHINE=typewriter: says which machines there are"
	else
		echo "not ok - make run MACHINE=typewriter: says which machines there are"
		echo "    $told"
	fi
}

tell()
{
	passed=$(grep -c '^ok ' "$results") || :
	failed=$(grep -c '^not ok ' "$results") || :
	echo "==> all tests ... $(($(date +%s) - begin)) s"
	if grep -q '^skip ' "$results"; then
		echo "skipped:"
		grep '^skip ' "$results"
	fi
	# With what they have said: whoever reads this may have no more than its end.
	if [ "$failed" != 0 ]; then
		echo "failed:"
		awk '!/^    / { told = /^not ok / } told' "$results"
	fi
	echo "$passed passed, $failed failed"
	[ "$passed" != 0 ] && [ "$failed" = 0 ]
}

lock_build
: > "$results"
: > "$guests"
trap stop_guests EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ -n "${MATRIX:-}" ]; then
	# shellcheck disable=SC2086
	matrix_run $MATRIX
	tell
	exit
fi

"$top/scripts/setup.sh" test

# All but the guests is the same for each architecture, and tested with the first one.
if [ "$GUEST_ARCH" = x86_64 ]; then
	part "x86_64" test_x86_64_whole
	part "x86_64 with everything that finds mistakes" test_x86_64_debug
	part "x86_64 with frame pointers" test_x86_64_fp
	part "modules of users' own" "$top/scripts/test-module.sh"
	part "guests" tell_guests
	tell
	exit
fi

# What guests need comes first, and before it what takes them longest.
part "the kernel with the detector" test_release
part "the kernel with the detector and everything that finds mistakes" test_debug
[ "$kver" != 6.12 ] || part "the newest kernel" test_newest 7.3
part "x86_64" test_x86_64
part "modules of users' own" "$top/scripts/test-module.sh"
part "count tests" "$top/scripts/test-ktap.sh"
part "tell data races apart" "$top/scripts/test-kcsan.sh"
part "the memory model" "$top/scripts/test-litmus.sh"
part "apply, unapply, patch" "$top/scripts/test-apply.sh"
part "the command-line tool" "$top/scripts/test-tool.sh"
part "what stands in several places" "$top/scripts/test-documents.sh"
part "who calls whom" "$top/scripts/test-order.sh"
part "other architectures, boards and kernels" test_builds
part "each patch" "$top/scripts/test-series.sh"
part "lint" "$top/scripts/test-lint.sh"
part "guests" tell_guests

tell
