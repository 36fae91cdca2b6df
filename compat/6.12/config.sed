# SPDX-License-Identifier: GPL-2.0
#
# Options that are younger than Linux 6.12.
/^CONFIG_KUNIT_AUTORUN_ENABLED=/d
