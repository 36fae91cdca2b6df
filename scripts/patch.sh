#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# patch.sh [KSRC]: writes the overlay as one patch against KSRC, or against the
# source that `make run` unpacks.

set -eu
. "$(dirname "$0")/lib.sh"
source=${1:-$linux}
[ -f "$source/Makefile" ] || die "no kernel source at $source: unpack one, and say make patch KSRC=DIR"
version=$(sed -n 's/^VERSION = *//p' "$source/Makefile")
level=$(sed -n 's/^PATCHLEVEL = *//p' "$source/Makefile")
exec "$top/scripts/apply.sh" patch "$source" "$build/kmemleak-$version.$level.patch"
