# SPDX-License-Identifier: GPL-2.0
#
# Names of options in Linux 7.2.
s/^CONFIG_SYSCTL=/CONFIG_PROC_SYSCTL=/
