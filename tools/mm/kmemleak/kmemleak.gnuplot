# SPDX-License-Identifier: GPL-2.0
#
# Draws what "kmemleak watch --log DIR" has written:
#
#   gnuplot -e "dir='DIR'" kmemleak.gnuplot
#
# makes memory.png, leaks.png and, if caches grow, slab.png in DIR.

if (!exists("dir")) dir = "."

samples = dir . "/samples.tsv"
slab = dir . "/slab.tsv"

set datafile separator "\t"
# Rows of other caches do not interrupt a line.
set datafile missing NaN
set terminal pngcairo size 1000, 600
set xdata time
set timefmt "%s"
set format x "%m-%d\n%H:%M"
set key outside right top autotitle columnhead noenhanced
set grid
set style data lines

set output dir . "/memory.png"
set title "Memory of the kernel" noenhanced
set ylabel "MiB"
plot for [name in "Slab SReclaimable SUnreclaim KernelStack"] samples \
	using (column("time")):(column(name) / 1024.0) title name linewidth 2

set output dir . "/leaks.png"
set title "Leaks" noenhanced
set ylabel "KiB"
set y2label "places"
set y2tics
set ytics nomirror
set yrange [0:*]
set y2range [0:*]
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
