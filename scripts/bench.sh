#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Prints what the detector costs, in instructions: the same benchmark, in the
# same kernel, with kmemleak=off and kmemleak=on. QEMU counts one instruction as
# one nanosecond, so that the figures repeat.

set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
guest_prepare

for mode in off on; do
	guest_run bench-$mode 120 1 1G "kmemleak=$mode loglevel=4 -- bench kmemleak_bench" \
		-icount shift=0 || {
		guest_complain bench-$mode
		exit 1
	}
done

echo
awk '
BEGIN { printf "%-20s %12s %12s %12s\n", "instructions", "off", "on", "overhead" }
{ value = $NF; sub(/ [^ ]*$/, "") }
FNR == NR { off[$0] = value; next }
$0 in off { printf "%-20s %12d %12d %12d\n", $0, off[$0], value, value - off[$0]; next }
{ printf "%-20s %12s %12d\n", $0, "-", value }
' "$logs/bench-off.results" "$logs/bench-on.results"
