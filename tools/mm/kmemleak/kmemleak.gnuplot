# SPDX-License-Identifier: GPL-2.0
#
# Draws what "kmemleak watch --log DIR" has written:
#
#   gnuplot -e "dir='DIR'" kmemleak.gnuplot
#
# makes memory.png, leaks.png and, if caches or places grow, slab.png and places.png in
# DIR, which must be a directory of the user's own, as it must be for the tool.

if (!exists("dir")) dir = "."

# Where others can put links, pictures could be written through them.
own = sprintf("find '%s' -prune -type d -user \"$(id -u)\" ! -perm -020 ! -perm -002", dir)
if (system(own) eq "") {
	print dir . " is a link, belongs to another user, or is for others to write to"
	exit status 1
}
# A copy may have brought links along.
system(sprintf("cd '%s' && rm -f memory.png leaks.png slab.png places.png", dir))

samples = dir . "/samples.tsv"
slab = dir . "/slab.tsv"
places_table = dir . "/places.tsv"

# Seconds of all samples, and the most places.
span = real(system(sprintf("awk 'NR == 2 { first = $1 } { last = $1 } END { print last - first }' '%s'", \
		samples)))
places = real(system(sprintf("awk 'NR > 1 && $10 > most { most = $10 } END { print most + 0 }' '%s'", \
		samples)))

set datafile separator "\t"
# Rows of other caches do not interrupt a line.
set datafile missing NaN
set terminal pngcairo size 1000, 600
set xdata time
set timefmt "%s"
set format x (span < 600 ? "%H:%M:%S" : span < 86400 ? "%H:%M" : "%m-%d\n%H:%M")
set xlabel "UTC"
set key outside right top autotitle columnhead noenhanced
set grid
set style data lines

set output dir . "/memory.png"
set title "Memory of the kernel" noenhanced
set ylabel "MiB"
set y2label "MiB free"
set y2tics
set ytics nomirror
set yrange [0:*]
set y2range [0:*]
# Samples of older tools lack a figure.
figures = "Slab SReclaimable SUnreclaim KernelStack"
if (strstrt(system(sprintf("head -n 1 '%s'", samples)), "Unaccounted")) \
	figures = figures . " Unaccounted"
plot for [name in figures] samples \
		using (column("time")):(column(name) / 1024.0) title name linewidth 2, \
	samples using (column("time")):(column("MemFree") / 1024.0) axes x1y2 \
		title "MemFree (right)" linewidth 2 dashtype 2 linecolor rgb "gray40"

set output dir . "/leaks.png"
set title "Leaks" noenhanced
set ylabel "KiB"
set y2label "places"
if (places < 8) set y2tics 1
plot samples using (column("time")):(column("leaked") / 1024.0) \
		title "leaked" with steps linewidth 2, \
	samples using (column("time")):(column("places")) axes x1y2 \
		title "places" with steps linewidth 2

unset y2label
unset y2tics
caches = system(sprintf("awk -F '\t' 'NR > 1 && !seen[$2]++ { print $2 }' '%s'", slab))
if (words(caches)) {
	set output dir . "/slab.png"
	set title "Slab caches that grow" noenhanced
	set ylabel "KiB in use"
	plot for [name in caches] slab \
		using (column("time")):(strcol("cache") eq name ? column("used") / 1024.0 : NaN) \
		title name with linespoints linewidth 2
}

# The five that have grown most. Their names have spaces, which words() would not take.
top = 5
pick = "awk -F '\t' 'NR > 1 { if (!($2 in first)) first[$2] = $4; last[$2] = $4 } END { for (place in last) print last[place] - first[place] \"\t\" place }' '%s' | sort -n -r | cut -f 2 | sed -n '%dp'"
nr_places = int(system(sprintf("awk -F '\t' 'NR > 1 && !seen[$2]++ { nr++ } END { print nr + 0 }' '%s' 2> /dev/null || echo 0", \
		places_table)))
if (nr_places > top) nr_places = top
if (nr_places) {
	set output dir . "/places.png"
	set title "Places that grow" noenhanced
	set ylabel "KiB allocated"
	plot for [i = 1:nr_places] places_table \
		using (column("time")):(strcol("place") eq system(sprintf(pick, places_table, i)) ? column("bytes") / 1024.0 : NaN) \
		title system(sprintf(pick, places_table, i)) with linespoints linewidth 2
}
