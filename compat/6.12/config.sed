# SPDX-License-Identifier: GPL-2.0
#
# Options that are younger than Linux 6.12, or had another name.
s/^CONFIG_SYSCTL=/CONFIG_PROC_SYSCTL=/
/^CONFIG_KUNIT_AUTORUN_ENABLED=/d
