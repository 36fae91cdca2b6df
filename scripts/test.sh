#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Every test. Each part says "ok - TEST", "not ok - TEST" or "skip - TEST # WHY"
# for each of its tests; they are counted here.

set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"

results=$logs/results
begin=$(date +%s)

# part TITLE COMMAND...: a part that stops before its end is a failed test.
part()
{
	title=$1
	shift
	echo "==> $title"
	{ "$@" 2>&1 || echo "not ok - $title: stopped with status $?"; } | tee -a "$results"
}

build_kernel()
{
	if "$top/scripts/kernel.sh" "$1"; then
		echo "ok - build: $1, without a warning"
	else
		echo "not ok - build: $1, without a warning"
		return 1
	fi
}

# A guest must not run what an earlier build has left.
test_kernel()	# NAME COMMAND...
{
	name=$1
	shift
	build_kernel "$name" || { echo "not ok - $name: no kernel to test"; return 0; }
	"$top/scripts/initramfs.sh" "$name" || { echo "not ok - $name: no guest to test"; return 0; }
	"$@"
}

test_guest()	# as test-guest.sh
{
	"$top/scripts/test-guest.sh" "$@" || echo "not ok - $1, $2 CPUs: stopped with status $?"
}

test_release()
{
	run_demos
	test_guest arm64 2 1G 1500
	# How commands and files read does not depend on the number of CPUs.
	test_guest arm64 4 1G 900 test_recall.sh test_churn.sh test_reader.sh \
		test_concurrent.sh test_hotplug.sh test_stats.sh test_leaks.sh \
		test_live.sh test_lifecycle.sh test_holders.sh test_same_address.sh \
		test_many.sh test_oom.sh test_off.sh
	# What users have to expect: nothing makes leaks easier to find.
	test_guest arm64 2 1G 1200 "init_on_alloc=0 kunit.enable=0" \
		no-kunit test_recall.sh test_shapes.sh
}

test_debug()
{
	test_guest arm64-debug 2 1G 1800
	# The same for a kernel with CONFIG_SLAB_FREELIST_HARDENED.
	test_guest arm64-debug 2 1G 900 "init_on_alloc=0 kunit.enable=0" no-kunit \
		test_recall.sh
}

# It is slow; what it is for are the KUnit suites, and races of other kinds.
test_kcsan()
{
	test_guest arm64-kcsan 2 1G 600 test_live.sh test_annotations.sh
}

# With ORC, with frame pointers, and with all that finds mistakes.
test_x86_64()
{
	test_guest x86_64 2 1G 1800
	test_guest x86_64 4 1G 900 test_recall.sh test_churn.sh test_concurrent.sh \
		test_hotplug.sh test_lifecycle.sh test_oom.sh test_off.sh
}

test_x86_64_fp()
{
	test_guest x86_64-fp 2 1G 900 test_recall.sh test_churn.sh test_leaks.sh test_live.sh
}

test_x86_64_debug()
{
	test_guest x86_64-debug 2 1G 1800
}

test_builds()
{
	build_kernel x86_64 || :
	build_kernel um || :
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
	if "$top/scripts/setup.sh" test && "$top/scripts/kernel.sh" arm64; then
		echo "ok - build: arm64 of Linux $newest, without a warning"
	else
		echo "not ok - build: arm64 of Linux $newest, without a warning"
		return 0
	fi
	"$top/scripts/initramfs.sh" arm64 || { echo "not ok - Linux $newest: no guest to test"; return 0; }
	test_guest arm64 2 1G 1200 test_recall.sh test_churn.sh test_allocators.sh \
		test_leaks.sh test_control.sh test_reader.sh test_groups.sh test_json.sh \
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
	if [ "$failed" != 0 ]; then
		echo "failed:"
		grep '^not ok ' "$results"
	fi
	echo "$passed passed, $failed failed"
	[ "$passed" != 0 ] && [ "$failed" = 0 ]
}

lock_build
: > "$results"
"$top/scripts/setup.sh" test

# All but the guests is the same for each architecture, and tested with the first one.
if [ "$GUEST_ARCH" = x86_64 ]; then
	part "x86_64" test_kernel x86_64 test_x86_64
	part "x86_64 with frame pointers" test_kernel x86_64-fp test_x86_64_fp
	part "x86_64 with everything that finds mistakes" \
		test_kernel x86_64-debug test_x86_64_debug
	tell
	exit
fi

part "count tests" "$top/scripts/test-ktap.sh"
part "tell data races apart" "$top/scripts/test-kcsan.sh"
part "the memory model" "$top/scripts/test-litmus.sh"
part "apply, unapply, patch" "$top/scripts/test-apply.sh"
part "the command-line tool" "$top/scripts/test-tool.sh"
part "what stands in several places" "$top/scripts/test-documents.sh"

# With timeout, to be stopped with all that it has started. A session of its own
# would have a share of its own of the processors, however nice it is.
timeout 3600 "$top/scripts/build-ahead.sh" arm64-debug arm64-kcsan x86_64 um \
	rock5b-plus > "$logs/ahead.log" 2>&1 &
ahead=$!
trap 'kill $ahead 2> /dev/null || :' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

part "the kernel with the detector" test_kernel arm64 test_release
part "the kernel with the detector and everything that finds mistakes" \
	test_kernel arm64-debug test_debug
part "the kernel with the detector and one that finds data races" \
	test_kernel arm64-kcsan test_kcsan
[ "$kver" != 6.12 ] || part "the newest kernel" test_newest 7.3
part "who calls whom" "$top/scripts/test-order.sh"
part "other architectures, boards and kernels" test_builds
part "each patch" "$top/scripts/test-series.sh"
part "lint" "$top/scripts/test-lint.sh"

tell
