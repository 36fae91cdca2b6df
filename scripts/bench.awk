# SPDX-License-Identifier: GPL-2.0
#
# The table of make bench, from what the guests said: "row NAME VALUE" and, after
# rows of pairs on two CPUs, /proc/lock_stat. The variable `mode` says whose
# figures a file has, and `usec` how many instructions a microsecond has where a
# tracer tells these. The variable `arch` is the architecture. Exit status 1 if a figure
# is missing.

$1 == "row" {
	name = $0
	sub(/^row /, "", name)
	sub(/ [^ ]*$/, "", name)
	value[mode, name] = $NF
	if (mode == "locks-on")
		pairs[++nr_pairs] = name
	pair = name
	next
}

# A line of /proc/lock_stat: the class, a colon and twelve figures, of which the
# eighth is how often it was taken, the seventh how often after another CPU. The
# class may have spaces and colons too. RCU and sequence counts are in there, but
# are no locks.
mode ~ /^locks/ && NF > 12 && $(NF - 12) ~ /:$/ && $NF ~ /^[0-9.]+$/ {
	class = $1
	for (i = 2; i <= NF - 12; i++)
		class = class " " $i
	sub(/(-[RW])?:$/, "", class)
	if (class ~ /^rcu_|seqcount/)
		next
	taken[mode, pair, class] += $(NF - 4)
	bounced[mode, pair, class] += $(NF - 5)
	classes[class] = 1
}

END {
	mode = "table"
	heading("instructions")
	split("8 64 512 4096", size)
	split("shallow deep", stack)
	for (s = 1; s <= 2; s++)
		for (i = 1; i <= 4; i++)
			row("kmalloc(" size[i] ") pair, " stack[s], size[i] == 64 ? 1 / 8 : 0)
	row("kmalloc(64) pair, 8 stacks")
	row("kmem_cache pair", 1 / 8)
	row("bulk of 16, alloc and free")
	row("percpu pair", 1 / 8)
	row("vmalloc pair", 1 / 4)
	row("batch alloc", 1 / 8)
	row("batch free, in order", 1 / 8)
	row("batch free, random order", 1 / 8)
	row("free on another CPU")
	row("alloc of what another CPU freed")
	# On x86_64 kernels think that QEMU's TSC, which counts instructions, is faster.
	if (arch != "x86_64")
		row("boot to init")
	compare("first scan")
	compare("second scan")

	heading("instructions while it is off, with jump labels", "none off off-none - -")
	# A jump for each hook.
	nothing("kmalloc(64) pair, shallow", 2)
	nothing("kmalloc(64) pair, deep", 2)
	nothing("kmem_cache pair", 2)
	# The hook comes last, and the compiler keeps the flags for it through all that the
	# allocator does.
	nothing("percpu pair", 8)
	nothing("vmalloc pair")
	nothing("batch alloc")
	nothing("batch free, in order")
	if (arch != "x86_64")
		nothing("boot to init")

	heading("instructions, trace_depth=1")
	depth1("kmalloc(64) pair, shallow")
	depth1("kmalloc(64) pair, deep")
	depth1("kmem_cache pair")

	if (arch == "x86_64") {
		heading("instructions with frame pointers")
		frames("kmalloc(64) pair, shallow")
		frames("kmalloc(64) pair, deep")
		frames("kmem_cache pair")
		frames("percpu pair")
	}

	heading("instructions beside live objects")
	split("10000 100000 1000000", number)
	for (i = 1; i <= 3; i++)
		row("kmalloc(64) pair beside " number[i])
	growth()
	for (i = 1; i <= 3; i++)
		row("batch alloc and free beside " number[i])

	heading("instructions of the slowest")
	latency("slowest kmalloc(64), all kept", 2)
	latency("slowest kmalloc(64), none kept")

	heading("instructions of a scan", "streamed peer ours peer/word ours/word")
	scans("poor", 1 / 8)
	# Where each word is a pointer, there is little but looking them up.
	scans("rich", 1 / 5)

	heading("instructions to count live objects", "- scan live each -")
	live(10000)
	live(250000)
	live(1000000, 1 / 2)

	heading("instructions of a scan, with pages", "- off roots roots-off -")
	against("scan with pages=off, 1 GiB", "scan with pages=roots, 1 GiB", "pages=roots, 1 GiB")
	against("scan with pages=off, 4 GiB", "scan with pages=roots, 4 GiB", "pages=roots, 4 GiB")

	heading("instructions to switch it on", "- scan on on-scan -")
	against("scan since on beside 250000, 1 GiB", "on beside 250000, 1 GiB", "", 1)
	against("scan since on beside 250000, 4 GiB", "on beside 250000, 4 GiB", "", 1)

	heading("instructions of a scan that finds 14")
	compare("fresh leaks beside 250000, 1 GiB", 1 / 2)
	compare("fresh, and busy beside 250000, 1 GiB")

	heading("wall time by threads, in us", "1 2 - - -")
	threads("nothing new")
	threads("fresh leaks")

	heading("instructions of the longest in a scan")
	compare("longest wait of a free")
	compare("longest wait for the CPU")
	compare("longest interrupts-off", 1 / 5, usec)

	heading("bytes per live object")
	for (i = 1; i <= 3; i++)
		memory(number[i])
	reserve()

	locks()

	printf "\n%d of %d bars are met\n", met, bars
	if (missing)
		printf "%d figures are missing\n", missing
	exit missing > 0
}

function heading(unit, columns,  column)
{
	split(columns ? columns : "off peer ours peer-off ours-off", column)
	printf "%s%-34s %11s %11s %11s %10s %10s %7s\n", headings++ ? "\n" : "", unit, \
		column[1], column[2], column[3], column[4], column[5], "ratio"
}

function have(mode, name)
{
	if ((mode, name) in value)
		return 1
	printf "%s: no figure for \"%s\"\n", name, mode
	missing++
	return 0
}

function verdict(holds, bar)
{
	bars++
	met += holds
	return sprintf("  %s: %s", bar, holds ? "met" : "MISSED")
}

# A bar of 0 is none.
function line(name, off, peer, ours, bar,  over, ratio, end)
{
	over = peer - off
	ratio = over ? (ours - off) / over : 0
	if (bar)
		end = verdict(ratio <= bar, "at most " bar)
	print_line(name, off, peer, ours, over, ours - off, ratio, end based(name))
}

# What it was with the detector of another revision, if that was measured.
function based(name,  base)
{
	if (!(("base", name) in value))
		return ""
	base = value["base", name]
	return sprintf("  base %.0f: %+.1f %%", base, 100 * (value["ours", name] / base - 1))
}

function print_line(name, off, peer, ours, over_peer, over_ours, ratio, end)
{
	printf "%-34s %11.0f %11.0f %11.0f %10.0f %10.0f %7.3f%s\n", \
		name, off, peer, ours, over_peer, over_ours, ratio, end
}

function row(name, bar)
{
	if (have("off", name) && have("peer", name) && have("ours", name))
		line(name, value["off", name], value["peer", name], value["ours", name], bar)
}

# One of our figures beside another one, of which it may be that part.
function against(one, two, name, bar,  end)
{
	if (!have("ours", one) || !have("ours", two))
		return
	if (bar)
		end = verdict(value["ours", two] <= value["ours", one] * bar, "at most " bar)
	print_between(name ? name : two, value["ours", one], value["ours", two], end)
}

function print_between(name, one, two, end)
{
	printf "%-34s %11s %11.0f %11.0f %10.0f %10s %7.3f%s\n", name, "-", one, two, \
		two - one, "-", two / one, end
}

# Off, with a detector that is not built in. A bar is a number of instructions.
function nothing(name, bar,  none, off, end)
{
	if (!have("none", name) || !have("jump", name))
		return
	none = value["none", name]
	off = value["jump", name]
	if (bar)
		end = verdict(off - none <= bar, "at most " bar " more")
	printf "%-34s %11.0f %11.0f %11.0f %10s %10s %7.3f%s\n", name, none, off, off - none, \
		"-", "-", off / none, end
}

# A figure that only a detector has. A unit of 0 is one instruction.
function compare(name, bar, unit,  peer, ours, end)
{
	if (!have("peer", name) || !have("ours", name))
		return
	peer = value["peer", name] * (unit ? unit : 1)
	ours = value["ours", name] * (unit ? unit : 1)
	if (bar)
		end = verdict(ours <= bar * peer, "at most " bar)
	printf "%-34s %11s %11.0f %11.0f %10s %10s %7.3f%s\n", name, "-", peer, ours, "-", "-", \
		ours / peer, end based(name)
}

function scans(kind, bar,  complete)
{
	complete = scan("10000, " kind ", 1 GiB")
	complete += scan("250000, " kind ", 1 GiB", bar)
	complete += scan("1000000, " kind ", 1 GiB")
	scan("250000, " kind ", 4 GiB")
	if (complete == 3)
		scan_growth(kind)
}

# The third of three, when nothing is new. What the peer takes is divided by the
# words that ours reads, as the peer does not count them.
function scan(beside, bar,  name, words, streamed, peer, ours, end)
{
	name = "scan 3 of " beside
	if (!have("peer", name) || !have("ours", name))
		return 0
	peer = value["peer", name]
	ours = value["ours", name]
	if (bar)
		end = verdict(ours <= bar * peer, "at most " bar)
	have("ours", "words of " beside)
	have("ours", "stream of " beside)
	words = value["ours", "words of " beside]
	streamed = value["ours", "stream of " beside]
	printf "%-34s %11s %11.0f %11.0f %10s %10s %7.3f%s\n", beside, streamed ? streamed : "-", \
		peer, ours, per_word(peer, words), per_word(ours, words), ours / peer, \
		end based("scan 3 of " beside)
	return 1
}

# Beside as many, a scan with nothing new is what it has to be compared with.
function live(number, bar,  whole, time, end)
{
	if (!have("ours", "live of " number ", 1 GiB"))
		return
	whole = value["ours", "scan 3 of " number ", poor, 1 GiB"]
	time = value["ours", "live of " number ", 1 GiB"]
	if (bar)
		end = verdict(time <= bar * whole, "at most " bar)
	printf "%-34s %11s %11.0f %11.0f %10.1f %10s %7.3f%s\n", "live beside " number, "-", \
		whole, time, time / number, "-", time / whole, end based("live of " number ", 1 GiB")
}

function per_word(time, words)
{
	return words ? sprintf("%.2f", time / words) : "-"
}

# An object has to add as much to a scan however many objects there are.
function scan_growth(kind,  few, many)
{
	few["peer"] = each("peer", 250000, kind)
	few["ours"] = each("ours", 250000, kind)
	many["peer"] = each("peer", 1000000, kind)
	many["ours"] = each("ours", 1000000, kind)
	print_growth("  each of 250000", few)
	print_growth("  each of 1000000", many, \
		     verdict(many["ours"] <= 1.2 * few["ours"], "ours at most 1.2 times that"))
}

function print_growth(name, time, end)
{
	printf "%-34s %11s %11.1f %11.1f %10s %10s %7.3f%s\n", name, "-", time["peer"], \
		time["ours"], "-", "-", time["ours"] / time["peer"], end
}

# Beyond the first 10000, for all that a scan does without them.
function each(mode, number, kind,  name)
{
	name = "scan 3 of %d, " kind ", 1 GiB"
	return (value[mode, sprintf(name, number)] - value[mode, sprintf(name, 10000)]) / \
		(number - 10000)
}

# By the host's clock: what else it does counts too, and whether its CPUs share a core.
# So there is no bar.
function threads(what,  one, two)
{
	one = "wall time of 1 threads, " what " beside 250000, 1 GiB"
	two = "wall time of 2 threads, " what " beside 250000, 1 GiB"
	if (!have("threads", one) || !have("threads", two))
		return
	one = value["threads", one] / 1000
	two = value["threads", two] / 1000
	printf "%-34s %11.0f %11.0f %11s %10s %10s %7.3f\n", what " beside 250000", one, two, \
		"-", "-", "-", two / one
}

# The bar is 150 more than off. On arm64 that is off as it was while its hooks were called,
# 209; what it takes now has nothing to do with frames.
function depth1(name,  off, peer, ours, most, end)
{
	if (!have("off", name) || !have("peer", name) || !have("depth1", name))
		return
	off = value["off", name]
	peer = value["peer", name]
	ours = value["depth1", name]
	most = arch == "x86_64" ? off + 150 : 359
	if (name == "kmalloc(64) pair, deep")
		end = verdict(ours <= most, "at most " most)
	print_line(name, off, peer, ours, peer - off, ours - off, (ours - off) / (peer - off), end)
}

# The peer's kernel has the same unwinder.
function frames(name,  off, peer, ours, ratio)
{
	if (!have("off-fp", name) || !have("peer-fp", name) || !have("ours-fp", name))
		return
	off = value["off-fp", name]
	peer = value["peer-fp", name]
	ours = value["ours-fp", name]
	ratio = (ours - off) / (peer - off)
	print_line(name, off, peer, ours, peer - off, ours - off, ratio, \
		verdict(ratio <= 1 / 10, "at most 0.1"))
}

function growth(  name, mode, i, over)
{
	name = "kmalloc(64) pair beside "
	split("peer ours", mode)
	for (i = 1; i <= 2; i++) {
		if (!have(mode[i], name 10000) || !have(mode[i], name 1000000))
			return
		over[i] = (value[mode[i], name 1000000] - value["off", name 1000000]) / \
			(value[mode[i], name 10000] - value["off", name 10000])
	}
	printf "%-34s %11s %11s %11s %10.3f %10.3f %7s%s\n", "  overhead of 1000000 to 10000", \
		"", "", "", over[1], over[2], "", verdict(over[2] <= 1.1 && over[2] >= 0, "ours at most 1.1")
}

# As a whole, with what the allocator itself takes.
function latency(name, bar,  ratio, end)
{
	if (!have("off", name) || !have("peer", name) || !have("ours", name))
		return
	ratio = value["ours", name] / value["peer", name]
	if (bar)
		end = verdict(ratio <= bar, "at most " bar)
	printf "%-34s %11.0f %11.0f %11.0f %10s %10s %7.3f%s\n", name, value["off", name], \
		value["peer", name], value["ours", name], "", "", ratio, end based(name)
}

function memory(number,  name, off, peer, ours, end)
{
	name = "pages of " number " live objects"
	if (!have("off", name) || !have("peer", name) || !have("ours", name))
		return
	off = value["off", name] * 4096 / number
	peer = value["peer", name] * 4096 / number
	ours = value["ours", name] * 4096 / number
	if (number >= 100000)
		end = verdict(ours - off <= 32, "overhead at most 32")
	printf "%-34s %11.1f %11.1f %11.1f %10.1f %10.1f %7.3f%s\n", number " live objects", \
		off, peer, ours, peer - off, ours - off, (ours - off) / (peer - off), end
}

# Memory of 4 GiB that is taken before the first object.
function reserve(  name, all)
{
	name = "free pages"
	all = 4 * 1024 * 1024
	if (have("off", name) && have("peer", name) && have("ours", name))
		line("KiB in use after boot", all - value["off", name] * 4, \
		     all - value["peer", name] * 4, all - value["ours", name] * 4)
}

# Which locks CPUs share on the hot path of the detector: its own, if it takes one
# once in a hundred operations, and any other that it takes once in ten, unless
# that is a different one on each CPU. Each tick of the clock takes some too, and
# there are more the longer it takes: they are known by hrtimer_bases.lock. A
# vmalloc area is an object of its own, whose birth and death take a lock as those
# of a slab do: what it takes is shown, and does not count.
function locks(  i, class, times, bounces, others, found, holds)
{
	printf "\n%-34s %-29s %12s %12s\n", "locks, on two CPUs at once", "class", \
		"times per op", "from other"
	holds = nr_pairs > 0
	for (i = 1; i <= nr_pairs; i++) {
		found = 0
		others = 0.1 + 2 * added(pairs[i], "hrtimer_bases.lock", taken)
		for (class in classes) {
			times = added(pairs[i], class, taken)
			bounces = added(pairs[i], class, bounced)
			if (class ~ /^&?kml_/ ? times < 0.01 : times < others || bounces < 0.01)
				continue
			printf "%-34s %-29s %12.3f %12.3f\n", found++ ? "" : pairs[i], class, \
				times, bounces
			holds = holds && pairs[i] == "vmalloc pair"
		}
		if (!found)
			printf "%-34s none\n", pairs[i]
	}
	printf "%-34s%s\n", "", verdict(holds, "none")
	if (!nr_pairs) {
		print "no figures of locks"
		missing++
	}
}

# Per operation, by the detector.
function added(pair, class, count)
{
	if (!have("locks-on", pair) || !have("locks-off", pair))
		return 0
	return count["locks-on", pair, class] / value["locks-on", pair] - \
		count["locks-off", pair, class] / value["locks-off", pair]
}
