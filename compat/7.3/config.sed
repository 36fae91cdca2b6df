# SPDX-License-Identifier: GPL-2.0
#
# Options that Linux 7.3 sets by itself, without a choice.
/^CONFIG_PROC_SYSCTL=/d
