#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests kcsan.awk, which tells our data races from those of others.

set -eu
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'kml_scan\nkml_lookup\n' > "$work/functions"

# check TITLE STATUS EXPECTED: the console on standard input makes these lines
check()
{
	status=0
	awk -f "$top/scripts/kcsan.awk" "$work/functions" - > "$work/got" || status=$?
	if [ $status = "$2" ] && printf '%s' "$3" | diff - "$work/got" > "$work/diff"; then
		echo "ok - data races: $1"
	else
		echo "not ok - data races: $1"
		sed 's/^/    /' "$work/diff"
	fi
}

check "none" 0 "" <<EOF
[    0.062748] kcsan: enabled early
[    1.000000]  kml_scan+0x10/0x20
EOF

others="[    2.771640] ==================================================================
[    2.772442] BUG: KCSAN: data-race in one / other
[    2.772823]
[    2.773194] write to 0xffff000000dd5ca0 of 8 bytes by task 35 on cpu 1:
[    2.773691]  one+0x124/0x54c
[    2.774093]  not_kml_scan+0x1b4/0x1b8
[    2.774824]
[    2.775000] read to 0xffff000000dd5ca0 of 8 bytes by task 34 on cpu 0:
[    2.775645]  other+0x118/0x54c
[    2.777817]
[    2.778055] Reported by Kernel Concurrency Sanitizer on:
[    2.780844] CPU: 0 UID: 0 PID: 34 Comm: kmemleak
[    2.780844] =================================================================="

check "of others" 0 "(not ours) BUG: KCSAN: data-race in one / other
" <<EOF
$others
[    3.000000]  kml_scan+0x10/0x20
EOF

check "one of ours and one of others" 1 "(not ours) BUG: KCSAN: data-race in one / other
BUG: KCSAN: data-race in rb_erase / kml_lookup

write to 0x1 of 8 bytes by task 35 on cpu 1:
 rb_erase+0x124/0x54c

read to 0x1 of 8 bytes by interrupt on cpu 0:
 kml_lookup+0x118/0x54c

" <<EOF
$others
[    4.000000] ==================================================================
[    4.000001] BUG: KCSAN: data-race in rb_erase / kml_lookup
[    4.000002]
[    4.000003] write to 0x1 of 8 bytes by task 35 on cpu 1:
[    4.000004]  rb_erase+0x124/0x54c
[    4.000005]
[    4.000006] read to 0x1 of 8 bytes by interrupt on cpu 0:
[    4.000007]  kml_lookup+0x118/0x54c
[    4.000008]
[    4.000009] Reported by Kernel Concurrency Sanitizer on:
EOF

check "by the second function, and cut off" 1 "BUG: KCSAN: data-race in one / one
 one+0x124/0x54c
 kml_scan+0x4/0x8
" <<EOF
[    4.000001] BUG: KCSAN: data-race in one / one
[    4.000004]  one+0x124/0x54c
[    4.000004]  kml_scan+0x4/0x8
EOF

sleeper="[    5.000001] BUG: KCSAN: data-race in wakeup / schedule_hrtimeout_range_clock
[    5.000002]
[    5.000003] write to 0x1 of 8 bytes by interrupt on cpu 1:
[    5.000004]  wakeup+0x38/0x60
[    5.000005]  schedule_hrtimeout_range_clock+0xf0/0x15c
[    5.000006]  kml_scan+0x74/0xf0
[    5.000007]"

check "of a timer while one of ours sleeps" 0 "(not ours) BUG: KCSAN: data-race in wakeup / schedule_hrtimeout_range_clock
" <<EOF
$sleeper
[    5.000008] read to 0x1 of 8 bytes by task 35 on cpu 1:
[    5.000009]  schedule_hrtimeout_range_clock+0xf0/0x15c
[    5.000010]  usleep_range_state+0x8c/0xa8
[    5.000011]  kml_scan+0x74/0xf0
EOF

check "of a timer that one of ours reads" 1 "$(echo "$sleeper" | sed 's/^[^]]*\] \{0,1\}//')

read to 0x1 of 8 bytes by task 35 on cpu 1:
 kml_lookup+0x74/0xf0
" <<EOF
$sleeper
[    5.000008] read to 0x1 of 8 bytes by task 35 on cpu 1:
[    5.000009]  kml_lookup+0x74/0xf0
EOF

interrupt="[    6.000001] BUG: KCSAN: data-race in run_queues / hrtimer_active
[    6.000002]
[    6.000003] read to 0x1 of 8 bytes by interrupt on cpu 1:
[    6.000004]  hrtimer_active+0x70/0xf8"

check "of an interrupt of one of ours" 0 "(not ours) BUG: KCSAN: data-race in run_queues / hrtimer_active
" <<EOF
$interrupt
[    6.000005]  el1h_64_irq+0x64/0x68
[    6.000006]  kml_scan+0x94/0x2bc
EOF

check "of one of ours in an interrupt" 1 "$(echo "$interrupt" | sed 's/^[^]]*\] \{0,1\}//')
 kml_lookup+0x74/0xf0
 el1h_64_irq+0x64/0x68
 other+0x94/0x2bc
" <<EOF
$interrupt
[    6.000005]  kml_lookup+0x74/0xf0
[    6.000006]  el1h_64_irq+0x64/0x68
[    6.000007]  other+0x94/0x2bc
EOF
