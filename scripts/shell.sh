#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# An interactive guest, with the detector on.

set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
kernel_setup arm64
lock_build
"$top/scripts/setup.sh" run
"$top/scripts/kernel.sh" arm64
"$top/scripts/initramfs.sh" arm64
guest_qemu 2 1G "quiet -- shell" -nographic
