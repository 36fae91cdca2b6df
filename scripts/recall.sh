#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# make recall: how many leaks are found on a kernel by arm64's defconfig, where
# nothing is done that makes them easier to find; see test_recall.sh. It is no part of
# `make test`, as it builds a kernel for tens of minutes.

set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"

kernel_setup arm64-defconfig
lock_build
"$top/scripts/setup.sh" test
"$top/scripts/kernel.sh" arm64-defconfig
"$top/scripts/initramfs.sh" arm64-defconfig

say "boot it, lose objects, scan"
guest_run recall 1800 2 2G \
	"init_on_alloc=0 KML_LIMIT=5 -- tests no-kunit test_recall.sh test_shapes.sh" ||
	guest_complain recall
awk -v where=defconfig -f "$top/scripts/ktap.awk" "$logs/recall.results" > "$logs/recall.tests"
cat "$logs/recall.tests"
sed -n 's/^# # \([0-9.]* \(of\|%\) .*\)/    \1/p' "$logs/recall.results"
! grep -q '^not ok' "$logs/recall.tests"
