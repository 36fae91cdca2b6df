#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Prints what the detector costs beside its peer, the detector of the unmodified
# source: both kernels have the same configuration and run the same benchmark,
# and ours again with kmemleak=off. So do, with jump labels, ours with kmemleak=off and
# one without any. QEMU counts one instruction as one nanosecond, so that the figures
# repeat. On x86_64 traces are found with ORC's tables; pairs are measured with frame
# pointers, too.
#
# With BASE=REVISION of this repository the detector of that revision runs the same
# benchmark, and each row says what it took, and how much more or less that is now.
#
# It succeeds if everything has run and has given its figures, whether or not
# these are what we want: that is said in the last line.

set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"

# sleep=off: an idle guest's clock goes on to the next timer at once, and not by
# the host's, which would differ each time.
instructions="-icount shift=0,sleep=off"
# The tracer of interrupts-off tells microseconds. With 16 ns to an instruction
# that is what so many take.
fine="-icount shift=4,sleep=off"
fine_usec=62.5
# Seconds for a guest, ten times what the slowest takes.
patience=1800

# Only the detectors' own options, and options that they select, may differ.
same_config()
{
	for kernel in bench-peer bench; do
		kernel_setup $kernel
		sed -n -e '/KMEMLEAK/d' -e '/^CONFIG_/p' "$objects/.config" | sort \
			> "$logs/$kernel.config"
	done
	diff "$logs/bench-peer.config" "$logs/bench.config" > "$logs/bench.config.diff" || :
}

guest()	# LOG KERNEL CPUS MEMORY COMMAND_LINE QEMU_OPTIONS...
{
	guest=$1
	kernel_setup "${2%-base}"
	[ "$2" != bench-base ] || objects=$build/base/build/${objects##*/}
	shift 2
	guest_run "$guest" $patience "$@" || {
		guest_complain "$guest"
		return 1
	}
}

# Measures groups of rows in some of the modes, all at once, and with the detector of
# the base if there is one. What a guest counts does not depend on how busy the machine
# is.
modes()	# MODES LOG CPUS MEMORY GROUPS
{
	pids=
	for mode in $1 ${BASE:+base}; do
		on=on
		case $mode in
		off)		kernel=bench on=off ;;
		peer)		kernel=bench-peer ;;
		ours)		kernel=bench ;;
		none)		kernel=bench-none ;;
		jump)		kernel=bench-off on=off ;;
		base)		kernel=bench-base ;;
		off-fp)		kernel=bench-fp on=off ;;
		peer-fp)	kernel=bench-peer-fp ;;
		ours-fp)	kernel=bench-fp ;;
		esac
		# shellcheck disable=SC2086
		guest "bench-$2-$mode" $kernel "$3" "$4" "kmemleak=$on loglevel=4 -- bench $5" \
			$instructions &
		pids="$pids $!"
	done
	wait_for "$pids"
}

# All of this project as it is now, but the detector of BASE, and how that is put into
# a kernel source.
make_base()
{
	mkdir -p "$build/base/build"
	(cd "$top" && git ls-files -z | cpio --quiet -0 -pdu "$build/base")
	rm -rf "$build/base/mm" "$build/base/include" "$build/base/compat"
	git -C "$top" archive "$BASE" mm include compat Kconfig \
		scripts/overlay.tbl scripts/series.tbl | tar -x -C "$build/base"
	for cached in "$pristine" "$pristine.version" "$busybox"; do
		ln -sfn "$cached" "$build/base/build/"
	done
	"$build/base/scripts/setup.sh" run
	"$build/base/scripts/kernel.sh" bench
	"$build/base/scripts/initramfs.sh" bench
}

irqs_off()
{
	pids=
	for mode in peer ours; do
		kernel=bench-irqsoff
		[ $mode != peer ] || kernel=bench-peer-irqsoff
		# shellcheck disable=SC2086
		guest bench-irqsoff-$mode $kernel 1 1G "kmemleak=on loglevel=4 -- bench irqsoff" \
			$fine &
		pids="$pids $!"
	done
	wait_for "$pids"
	# They say where, too.
	tail -n +1 "$logs"/bench-irqsoff-*.results
}

wait_for()	# PIDS
{
	failures=0
	for pid in $1; do
		wait "$pid" || failures=$((failures + 1))
	done
	[ $failures = 0 ]
}

# As make test does with our detector. The guest prints a result for each check.
tool()
{
	kernel_setup bench-peer
	guest bench-tool bench-peer 2 1G "-- tool" -initrd "$objects/tool.cpio"
	cat "$logs/bench-tool.results"
	! grep "^not ok" "$logs/bench-tool.results"
}

# Where the CPUs of the guest run at the same time, on as many of the host's.
threads()
{
	guest bench-threads bench 2 1G "kmemleak=on loglevel=4 -- bench threads:250000" \
		-accel tcg,thread=multi
}

one_frame()
{
	# shellcheck disable=SC2086
	guest bench-depth1 bench 1 1G "kmemleak.trace_depth=1 loglevel=4 -- bench pairs" $instructions
}

locks()
{
	for mode in off on; do
		guest bench-locks-$mode bench-lockstat 2 1G "kmemleak=$mode loglevel=4 -- bench locks"
	done
}

scans=
for number in 10000 250000 1000000; do
	scans="$scans scan:$number:poor scan:$number:rich"
done

# A mistake in it would come out late.
[ -z "${BASE:-}" ] || git -C "$top" rev-parse --verify --quiet "$BASE^{commit}" > /dev/null ||
	die "BASE=$BASE: no such revision"

lock_build
"$top/scripts/setup.sh" run
frame_pointers=
[ "$GUEST_ARCH" != x86_64 ] || frame_pointers="bench-peer-fp bench-fp"
for kernel in bench-peer bench bench-off bench-none bench-peer-irqsoff bench-irqsoff \
	bench-lockstat $frame_pointers; do
	"$top/scripts/kernel.sh" "$kernel"
	"$top/scripts/initramfs.sh" "$kernel"
done
same_config
[ -z "${BASE:-}" ] || step bench-base "build the detector of $BASE" make_base

step bench-pairs "measure pairs, batches and scans: off, peer, ours" \
	modes "off peer ours" pairs 1 1G "start pairs batch scan"
step bench-none "measure pairs and batches with jump labels: none, off" \
	modes "none jump" pairs 1 1G "start pairs batch"
[ -z "$frame_pointers" ] ||
	step bench-fp "measure pairs with frame pointers: off, peer, ours" \
		modes "off-fp peer-fp ours-fp" pairs 1 1G pairs
step bench-remote "measure frees on another CPU: off, peer, ours" \
	modes "off peer ours" remote 2 1G remote
step bench-latency "measure the slowest of a million: off, peer, ours" \
	modes "off peer ours" latency 1 4G latency
step bench-live "measure beside a million live objects: off, peer, ours" \
	modes "off peer ours" live 1 4G live
step bench-scan "measure scans: peer, ours" modes "peer ours" scan 1 1G "$scans"
step bench-scan4 "measure scans in 4 GiB: peer, ours" \
	modes "peer ours" scan4 1 4G "scan:250000:poor scan:250000:rich"
step bench-fresh "measure scans that find something: peer, ours" \
	modes "peer ours" fresh 1 1G "fresh:250000 busy:250000"
step bench-pages "measure pages as roots, and to switch it on: ours" \
	modes ours pages 1 1G "pages:250000 on:250000"
step bench-pages4 "measure the same in 4 GiB: ours" modes ours pages4 1 4G "pages:250000 on:250000"
step bench-frees "measure frees during a scan: peer, ours" modes "peer ours" frees 1 1G frees
step bench-runs "measure waits for the CPU during a scan: peer, ours" \
	modes "peer ours" runs 1 1G runs
step bench-irqsoff "measure interrupts-off during a scan: peer, ours" irqs_off
step bench-threads "measure scans by several threads on two CPUs: ours" threads
step bench-depth1 "measure pairs with trace_depth=1: ours" one_frame
step bench-locks "count locks on two CPUs: off, ours" locks

for mode in none jump off peer ours ${BASE:+base} ${frame_pointers:+off-fp peer-fp ours-fp}; do
	cat "$logs"/bench-*-"$mode".results > "$logs/bench-all-$mode.results"
done
echo
awk -v usec=$fine_usec -v arch="$GUEST_ARCH" -f "$top/scripts/bench.awk" \
	mode=none "$logs/bench-all-none.results" mode=jump "$logs/bench-all-jump.results" \
	mode=off "$logs/bench-all-off.results" mode=peer "$logs/bench-all-peer.results" \
	mode=ours "$logs/bench-all-ours.results" mode=depth1 "$logs/bench-depth1.results" \
	mode=base ${BASE:+"$logs/bench-all-base.results"} \
	mode=off-fp ${frame_pointers:+"$logs/bench-all-off-fp.results"} \
	mode=peer-fp ${frame_pointers:+"$logs/bench-all-peer-fp.results"} \
	mode=ours-fp ${frame_pointers:+"$logs/bench-all-ours-fp.results"} \
	mode=threads "$logs/bench-threads.results" \
	mode=locks-off "$logs/bench-locks-off.results" \
	mode=locks-on "$logs/bench-locks-on.results"
if [ -s "$logs/bench.config.diff" ]; then
	echo
	echo "Besides the detectors' own options, these differ (<: peer, >: ours):"
	grep '^[<>]' "$logs/bench.config.diff"
fi
echo
"$top/scripts/initramfs.sh" bench-peer tool
step bench-tool "use the command-line tool with the peer" tool
grep "^ok" "$logs/bench-tool.results"
