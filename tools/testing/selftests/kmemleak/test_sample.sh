#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own sample module, which is none of ours: 14 leaks when it has
# been loaded, or 13 in older kernels, its list and its per-CPU pointers' objects
# when it is gone.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

# found_by_size "SIZE*COUNT...": how many there are of each size, of the last
# time that the module was loaded: what an earlier attempt has leaked may come to
# light at any time.
found_by_size()
{
	kml_scan || return
	awk -v wanted="$1" -v hidden="$HIDDEN" '
	/^unreferenced object / { size = $NF + 0; seen = 0 }
	/^  comm "/ { pid = $0; sub(/.*, pid /, "", pid); pid += 0 }
	/^    kmemleak_test_init\+0x[0-9a-f]+\/0x[0-9a-f]+ \[kmemleak_test\]$/ && !seen {
		seen = 1
		loader[++records] = pid
		bytes[records] = size
		if (pid > last)
			last = pid
	}
	END {
		for (i = 1; i <= records; i++)
			if (loader[i] == last)
				count[bytes[i]]++
		sizes = split(wanted, pairs, " ")
		for (i = 1; i <= sizes; i++) {
			split(pairs[i], pair, "*")
			if (count[pair[1]] < pair[2]) {
				print "not found: all " pairs[i]
				status = status ? status : hidden
			} else if (count[pair[1]] > pair[2]) {
				print count[pair[1]] " and not " pairs[i]
				status = 1
			}
			delete count[pair[1]]
		}
		for (size in count) {
			print "there are " count[size] " of " size " bytes"
			status = 1
		}
		exit status
	}' "$KML_FILE"
}

load_sample()
{
	kml_load kmemleak_test || kml_load kmemleak-test
}

# Those of the last time are not counted again, whether they were found or not.
load_anew()
{
	kml_unload kmemleak_test
	kml_scan && kml_do clear && kml_mark && load_sample
}

# kmalloc_size SIZE: how long what kmalloc() gives for it is, up to a page. Kernels
# differ in which caches there are.
kmalloc_size()
{
	for cache in /sys/kernel/slab/kmalloc-*; do
		echo "${cache##*/kmalloc-}"
	done | sed -n 's/^\([0-9]*\)k$/\1 1024/p; s/^[0-9]*$/& 1/p' |
		awk -v size="$1" '
		{ have = $1 * $2 }
		have >= size && (!best || have < best) { best = have }
		END { print best }'
}

# The module's own leaks, as SIZE*COUNT: newer ones leak a per-CPU object too, as they
# say. Each of its five vmalloc() calls is for a page, and two are as long as most pages.
leaked_at_once()
{
	page=$("$KML_HERE/kmemleak_ctl" page-size)
	echo "$(kmalloc_size 32)*2 1024*2 2048*2"
	[ "$page" = 4096 ] && echo "4096*7" || echo "4096*2 $page*5"
	! kml_log | grep -q 'kmemleak: __alloc_percpu(64, ' || echo "64*1"
}

found_loaded()
{
	kml_loaded kmemleak_test && [ "$KML_ATTEMPT" = 1 ] || load_anew || return
	found_by_size "$(leaked_at_once)"
}

possible_cpus()
{
	last=$(sed 's/.*[-,]//' /sys/devices/system/cpu/possible)
	echo $((last + 1))
}

# The 10 elements have 416 bytes, and each CPU has an object of 129 bytes.
found_unloaded()
{
	load_anew && kml_unload kmemleak_test &&
		found_by_size "$(leaked_at_once)
			$(kmalloc_size 416)*10 $(kmalloc_size 129)*$(possible_cpus)"
}

kml_setup 2
load_sample > /dev/null || kml_skip_rest "no samples/kmemleak module (CONFIG_SAMPLE_KMEMLEAK=m)"

kml_test_all "what it leaks when it is loaded" found_loaded
kml_test_all "list elements and per-CPU objects as well when it is gone" found_unloaded

kml_finish
