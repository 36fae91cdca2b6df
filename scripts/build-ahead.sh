#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# build-ahead.sh NAME...: builds kernels of lib.sh with the time that others leave,
# such as guests that wait. Whoever needs one builds it again, which is soon done,
# and says how that went.

set -eu
. "$(dirname "$0")/lib.sh"

for kernel; do
	nice -n 19 "$top/scripts/kernel.sh" "$kernel" || :
done
