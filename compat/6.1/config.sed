# SPDX-License-Identifier: GPL-2.0
#
# Names of options in Linux 6.1.
s/^CONFIG_SAMPLE_KMEMLEAK=/CONFIG_DEBUG_KMEMLEAK_TEST=/
