# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# shellcheck disable=SC2034 # what is set here is for the scripts that source it
#
# Functions and names that the scripts share. To be sourced after `set -eu`.

top=$(cd "$(dirname "$0")/.." && pwd)
kver=${KVER:-6.12}
# The kernels that are tested, and so accepted by `make apply`.
kvers=$(sed -n 's/^tested //p' "$top/scripts/overlay.tbl")
build=$top/build
# Other versions share nothing with it, nor with one another.
[ "$kver" = 6.12 ] || build=$build/$kver
linux=$build/linux-$kver
pristine=$build/pristine-$kver
logs=$build/logs
herd=$top/build/herd7
jobs=$(nproc)

# Whose guests are wanted. The scripts that others call find it under this name.
export GUEST_ARCH="${GUEST_ARCH:-${ARCH:-arm64}}"
# A directory of a module for the guest. A user's Makefile may have a variable MODULE, too.
users_module=${MODULE:-}
# Without these a user's settings would reach our kernels.
unset MODULE ARCH CROSS_COMPILE KBUILD_OUTPUT O MAKEFLAGS MFLAGS MAKELEVEL KCONFIG_ALLCONFIG
export LC_ALL=C

mkdir -p "$logs"

say()
{
	echo "==> $*"
}

die()
{
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# arch_setup ARCH: the architecture as the kernel calls it; how kernels are built for it,
# and what is made for its guests. Those that no other test is for are for the matrix.
arch_setup()
{
	arch=$1
	guest_config=$arch.config
	serial=virtio-serial-device
	compiler_packages=
	case $arch in
	arm64)
		debian_arch=arm64
		tools=aarch64-linux-gnu
		emulator=qemu-system-aarch64
		image=arch/arm64/boot/Image
		guest_config=guest.config
		console=ttyAMA0
		;;
	x86_64)
		debian_arch=amd64
		tools=x86_64-linux-gnu
		emulator=qemu-system-x86_64
		image=arch/x86/boot/bzImage
		console=ttyS0
		serial=virtio-serial-pci
		;;
	arm)
		debian_arch=armhf
		tools=arm-linux-gnueabihf
		emulator=qemu-system-arm
		image=arch/arm/boot/zImage
		console=ttyAMA0
		;;
	riscv)
		debian_arch=riscv64
		tools=riscv64-linux-gnu
		emulator=qemu-system-riscv64
		image=arch/riscv/boot/Image
		console=ttyS0
		;;
	s390)
		debian_arch=s390x
		tools=s390x-linux-gnu
		emulator=qemu-system-s390x
		image=arch/s390/boot/bzImage
		console=ttysclp0
		serial=virtio-serial-ccw
		;;
	*)
		die "no guests for $arch; there are: arm64, x86_64, and for the matrix arm, riscv, s390"
		;;
	esac
	case $arch in
	arm | riscv | s390)
		compiler_packages="gcc-$tools libc6-dev-$debian_arch-cross qemu-system-misc"
		;;
	esac
	cross=$tools-
	targets="${image##*/} modules"
	busybox=$top/build/busybox-$arch
	jq=$top/build/jq-$arch
}

# One run at a time: two would build in the same directories. What runs within
# `make test` finds itself covered by its lock.
lock_build()
{
	[ -z "${KMEMLEAK_BUILD_LOCKED:-}" ] || return 0
	export KMEMLEAK_BUILD_LOCKED=1
	exec 8> "$build/.lock"
	flock -n 8 || die "another make is at work in $build"
}

# Until it is told to end; nobody is to wait for its sleep.
show_life()
{
	trap 'kill $!; exit' TERM
	while :; do
		sleep 30 > /dev/null 2>&1 &
		wait $!
		printf '. '
	done
}

# step NAME WHAT COMMAND...: a step of the set-up, its output in logs/NAME.log,
# its time on the terminal, with a dot each half a minute. Not to be called where its
# status is tested: a shell function does not stop at the first failure there.
step()
{
	name=$1 what=$2
	shift 2
	printf '%s' "==> $what ... "
	begin=$(date +%s)
	show_life &
	dots=$!
	set +e
	(set -e; "$@") > "$logs/$name.log" 2>&1 < /dev/null
	status=$?
	set -e
	kill "$dots"
	if [ $status = 0 ]; then
		echo "$(($(date +%s) - begin)) s"
	else
		echo "failed after $(($(date +%s) - begin)) s"
		tail -n 30 "$logs/$name.log" | sed 's/^/    /'
		echo "    (the whole log: $logs/$name.log)"
		exit 1
	fi
}

# each_test WHAT: runs each function test_NAME of the script, which is to do so when
# it is called with the name, in a process that stops at the first command that fails.
each_test()
{
	sed -n 's/^\(test_[a-z_]*\)()$/\1/p' "$0" | while read -r name; do
		title="$1: $(echo "${name#test_}" | tr _ ' ')"
		if "$0" "$name" > "$logs/$name.log" 2>&1 < /dev/null; then
			echo "ok - $title"
			rm "$logs/$name.log"
		else
			echo "not ok - $title"
			tail -n 20 "$logs/$name.log" | sed 's/^/    /'
		fi
	done
}

kernels="arm64 arm64-debug arm64-kcsan arm64-defconfig x86_64 x86_64-fp x86_64-debug um rock5b-plus lint series bench
	bench-off bench-none bench-peer bench-fp bench-peer-fp bench-lockstat bench-irqsoff bench-peer-irqsoff
	arm64-16k arm64-64k arm64-rt arm64-hwtags arm64-swtags arm64-distro arm64-faults arm64-tiny
	arm riscv s390 own-arm64 own-x86_64"

# kernel_setup NAME: the kernels that we build, and from what.
kernel_setup()
{
	objects=$build/$1
	source=$linux
	# The base below the fragments: nothing, or a file of the kernel's own.
	base=
	# Of which only what is built in for these is taken, unless it is empty.
	boards=
	warnings=warning
	# The purpose of its initramfs: without selftests the kernel lacks options that the
	# selftests need and measurements are better without.
	purpose=selftests
	# A file of options that the selftests want, as kselftest has it.
	selftests_config=$source/tools/testing/selftests/kmemleak/config
	# Fragments that have the last word, also about these.
	variant=
	# A kernel that differs in the variant only.
	origin=
	case $1 in
	arm64 | arm64-debug | arm64-kcsan | x86_64 | x86_64-fp | x86_64-debug | arm | riscv | s390)
		arch_setup "${1%-*}"
		fragments="kmemleak.config $guest_config smp.config tests.config"
		# It has not all that the selftests want.
		[ "$arch" != s390 ] || variant=$top/configs/$guest_config
		;;
	own-*)
		arch_setup "${1#*-}"
		fragments="kmemleak.config $guest_config smp.config tests.config"
		variant=$FRAGMENT
		origin=$arch
		;;
	arm64-16k | arm64-64k | arm64-rt | arm64-hwtags | arm64-swtags | arm64-distro | \
	arm64-faults | arm64-tiny)
		arch_setup arm64
		fragments="kmemleak.config $guest_config smp.config tests.config"
		variant=$top/configs/${1#*-}.config
		origin=arm64
		;;
	series)
		arch_setup arm64
		source=$build/source-series
		fragments=
		;;
	lint)
		arch_setup arm64
		fragments="kmemleak.config guest.config smp.config tests.config"
		targets="W=1 C=2 mm/kmemleak/"
		# Others are checked along with ours, which have warnings.
		warnings='(mm/kmemleak/|linux/kmemleak\.h).*(warning|error)'
		;;
	arm64-defconfig)
		arch_setup arm64
		# Without modules and most boards, which take most of the time to build.
		base=arch/arm64/configs/defconfig
		boards="ROCKCHIP|VEXPRESS"
		fragments=defconfig.config
		selftests_config=/dev/null
		;;
	um)
		arch=um
		cross=
		fragments="kmemleak.config um.config tests.config"
		targets="vmlinux modules"
		;;
	rock5b-plus)
		arch_setup arm64
		base=arch/arm64/configs/defconfig
		fragments=rock5b-plus.config
		# None in versions that do not know the SoC either.
		device_tree=
		for board in rk3588-rock-5b-plus rk3588-rock-5b; do
			[ -f "$source/arch/arm64/boot/dts/rockchip/$board.dts" ] || continue
			device_tree=rockchip/$board.dtb
			break
		done
		# All of it takes an hour.
		targets="mm/kmemleak/ $device_tree"
		purpose=board
		;;
	bench | bench-off | bench-none | bench-peer | bench-fp | bench-peer-fp | bench-lockstat | \
	bench-irqsoff | bench-peer-irqsoff)
		arch_setup "$GUEST_ARCH"
		[ "$arch" = arm64 ] || objects=$build/$arch-$1
		fragments="kmemleak.config $guest_config bench.config"
		purpose=bench
		case $1 in
		bench-peer*)	source=$pristine ;;
		esac
		;;
	*)
		die "no kernel is called $1"
		;;
	esac
	case $1 in
	*-debug)	fragments="$fragments debug.config" ;;
	*-kcsan)	fragments="$fragments kcsan.config" ;;
	*-fp)		fragments="$fragments frames.config" ;;
	*-irqsoff)	fragments="$fragments irqsoff.config" ;;
	*-lockstat)	fragments="$fragments lockstat.config" ;;
	*-off)		fragments="$fragments jump.config" ;;
	*-none)		fragments="$fragments jump.config none.config" ;;
	esac
}

# kernel_make ARGS...: make in the tree and for the kernel of kernel_setup.
kernel_make()
{
	make -C "$source" O="$objects" ARCH="$arch" CROSS_COMPILE="$cross" -j "$jobs" -s "$@"
}
