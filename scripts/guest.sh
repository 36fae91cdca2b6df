# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# shellcheck disable=SC2034 # what guest_machine sets is for others, too
# shellcheck disable=SC2154 # objects, logs and more are from lib.sh
#
# Starts guests. To be sourced after lib.sh. Before a guest is started,
# kernel_setup or guest_prepare has to say of which kernel.

. "$top/scripts/module.sh"

# The machines that MACHINE can name, the first one of an architecture being that of a
# guest without MACHINE: QEMU's board, the CPU, or several, of which the first one that
# QEMU has is taken, how many of them, and the memory.
machines="
arm64	virt		virt			cortex-a76		2	1G
arm64	rock5b-plus	virt,gic-version=3	cortex-a76		8	4G
arm64	small		virt			cortex-a55,cortex-a53	4	512M
x86_64	pc		pc			max			2	1G
arm	virt		virt			cortex-a15		2	1G
riscv	virt		virt			rv64			2	1G
s390	ccw		s390-ccw-virtio		max			2	1G
"
# A row of the matrix may have another one.
guest_board=${GUEST_BOARD:-} guest_cpu=${GUEST_CPU:-}

guest_machines()
{
	echo "$machines" | awk -v arch="$GUEST_ARCH" \
		'$1 == arch { printf "%s%s", seen++ ? " " : "", $2 }'
}

# Sets machine, guest_board, guest_cpu, guest_cpus and guest_memory.
guest_machine()	# ARCH [NAME]
{
	row=$(echo "$machines" | awk -v arch="$1" -v name="$2" \
		'$1 == arch && (name == "" || $2 == name) { print; exit }')
	[ -n "$row" ] ||
		die "no machine is called $2; there are: $(guest_machines)"
	# shellcheck disable=SC2086
	set -- $row
	shift
	machine=$1 guest_board=$2 guest_cpu=$3 guest_cpus=$4 guest_memory=$5
}

# From what guest_machine says to what this QEMU has.
guest_choose_cpu()
{
	"$emulator" -cpu help > "$logs/cpus"
	for candidate in $(echo "$guest_cpu" | tr , ' '); do
		grep -q -E "^(x86)? *$candidate( |\$)" "$logs/cpus" || continue
		[ "$candidate" = "${guest_cpu%%,*}" ] ||
			say "this QEMU has no ${guest_cpu%%,*}: $candidate instead"
		guest_cpu=$candidate
		return
	done
	die "this QEMU has none of: $guest_cpu"
}

# All that a guest for other purposes than `make test` needs. MODULE may name the
# directory of a module, and FRAGMENT a file of options for the kernel.
guest_prepare()
{
	guest_machine "$GUEST_ARCH" "${MACHINE:-}"
	[ -z "${FRAGMENT:-}" ] || [ -f "$FRAGMENT" ] || die "FRAGMENT is no file: $FRAGMENT"
	guest_kernel=${FRAGMENT:+own-}$GUEST_ARCH
	kernel_setup "$guest_kernel"
	[ -z "$users_module" ] || module_source
	lock_build
	"$top/scripts/setup.sh" run
	guest_choose_cpu
	"$top/scripts/kernel.sh" "$guest_kernel"
	"$top/scripts/initramfs.sh" "$guest_kernel"
	[ -n "$users_module" ] || return 0
	step module "build the module in $from" module_build
	module_pack
}

# In front of QEMU: a time limit, but for an interactive guest.
guest_prefix=

# Words of COMMAND_LINE after "--" go to /init.
guest_qemu()	# CPUS MEMORY COMMAND_LINE QEMU_OPTIONS...
{
	cpus=$1 memory=$2 append=$3
	shift 3
	# Options that the tests need for kernels of this version only.
	[ ! -f "$top/compat/$kver/cmdline" ] || append="$(cat "$top/compat/$kver/cmdline") $append"
	[ -n "$guest_board" ] || guest_machine "$arch" ""
	# panic=-1 and -no-reboot: a panic ends QEMU at once.
	# shellcheck disable=SC2086
	$guest_prefix "${GUEST_QEMU:+$GUEST_QEMU/usr/bin/}$emulator" \
		${GUEST_QEMU:+-L "$GUEST_QEMU/usr/share/qemu"} \
		-M "$guest_board" -cpu "$guest_cpu" \
		-smp "$cpus" -m "$memory" -nic none -no-reboot \
		${GUEST_ACCEL:+-accel "$GUEST_ACCEL"} \
		-kernel "$objects/$image" -initrd "${guest_initrd:-$objects/initramfs.cpio}" \
		-append "console=$console panic=-1 kmemleak=on $append" "$@"
}

# Waits until fewer guests of `make test` run than there are places for: one for each
# processor, as they wait half of the time. It is kept until the script ends. Who came
# first waits for a place, and all others for that: so they begin in their order.
guest_place()
{
	exec 6> "$top/build/guest-next.lock"
	flock 6
	while :; do
		for place in $(seq "$jobs"); do
			exec 7> "$top/build/guest-$place.lock"
			flock -n 7 && break 2
		done
		sleep 1
	done
	exec 6>&-
}

# A guest that hangs mostly says nothing more, however busy the host is. Ends one that
# has said nothing for so long.
guest_mind()	# PID SECONDS FILE...
{
	pid=$1 most=$2 quiet=0 said=
	shift 2
	while kill -0 "$pid" 2> /dev/null; do
		now=$(cat "$@" 2> /dev/null | wc -c)
		quiet=$((quiet + 1))
		[ "$now" = "$said" ] || quiet=0
		said=$now
		if [ "$quiet" -gt "$most" ]; then
			kill "$pid"
			return 1
		fi
		sleep 1
	done
}

# Runs a guest to its end, which takes no longer than SECONDS on a host with nothing else
# to do. It may take four times as long, but not that long without a word. The console
# goes to logs/LOG.console. What the guest has to tell goes to LOG.results, and
# LOG.verdict has "done" if it came to the end of its work: these two by ports of their
# own, so that nothing on the console can be taken for them. Fails if there is no such
# verdict.
guest_run()	# LOG SECONDS CPUS MEMORY COMMAND_LINE
{
	log=$logs/$1
	seconds=$2
	guest_prefix="exec timeout --foreground -k 5 $((4 * seconds))"
	shift 2
	rm -f "$log.console" "$log.verdict"
	: > "$log.results"
	status=0
	guest_qemu "$@" -display none -monitor none -serial "file:$log.console" \
		-device "$serial" \
		-chardev "file,id=results,path=$log.results" \
		-device virtserialport,chardev=results,name=results \
		-chardev "file,id=verdict,path=$log.verdict" \
		-device virtserialport,chardev=verdict,name=verdict \
		< /dev/null > "$log.qemu" 2>&1 &
	running=$!
	guest_mind "$running" "$seconds" "$log.console" "$log.results" || status=124
	wait "$running" || status=$?
	echo "$status" > "$log.status"
	[ "$(cat "$log.verdict" 2> /dev/null)" = "done" ] && [ "$status" = 0 ]
}

guest_complain()	# LOG of a guest_run that failed
{
	log=$logs/$1
	status=$(cat "$log.status")
	case $status in
	0)	echo "the guest ended before its work did" ;;
	124 | 137 | 143) echo "the guest did not end in time" ;;
	*)	echo "QEMU ended with status $status"
		cat "$log.qemu" ;;
	esac
	echo "the end of its console ($log.console):"
	tail -n 40 "$log.console" 2> /dev/null | tr -d '\r' | sed 's/^/    /'
	if [ -s "$log.results" ]; then
		echo "the end of its results ($log.results):"
		tail -n 40 "$log.results" | sed 's/^/    /'
	fi
}
