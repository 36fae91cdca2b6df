#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# An interactive guest, with the detector on.

set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
guest_prepare
guest_qemu "$guest_cpus" "$guest_memory" "quiet -- shell" -nographic
