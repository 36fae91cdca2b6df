#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# initramfs.sh NAME [tool]: packs the initramfs for a kernel that has been built:
# BusyBox, our init, and either the kernel's modules with the selftests, as
# kselftest installs them, or the benchmark alone, at the same place; or, in
# tool.cpio, the command-line tool and a module that leaks.

set -eu
. "$(dirname "$0")/lib.sh"
kernel_setup "$1"
purpose=${2:-$purpose}

copy=$objects/selftests
installed=$objects/kselftest_install
packed=$objects/initramfs
if [ "$purpose" = tool ]; then
	copy=$objects/tool-selftests
	installed=$objects/tool_install
	packed=$objects/tool
fi
modules=$objects/modules_install
selftests=tools/testing/selftests

# The test modules are built where their source is, so each kernel needs a
# copy. It is made anew if a file went away, which leaves what was built of it.
copy_selftests()
{
	mkdir -p "$copy"
	(cd "$linux" && find $selftests/kmemleak tools/mm/kmemleak -type f | sort) > "$copy.files.new"
	cmp -s "$copy.files.new" "$copy.files" || rm -rf "$copy"
	mkdir -p "$copy"
	mv "$copy.files.new" "$copy.files"
	(cd "$linux" && rsync -aR scripts/subarch.include $selftests/Makefile $selftests/lib.mk \
		$selftests/run_kselftest.sh $selftests/kselftest $selftests/kselftest.h \
		$selftests/kselftest_harness.h $selftests/kmemleak tools/mm/kmemleak "$copy/")
}

# With debug information in the test modules, for the source lines of a report.
install_selftests()
{
	copy_selftests
	rm -rf "$installed"
	make -C "$copy/$selftests" TARGETS=kmemleak ARCH="$arch" CROSS_COMPILE="$cross" \
		KDIR="$objects" KCFLAGS=-g W=1 KSFT_INSTALL_PATH="$installed" install
	install_kernel_tests
}

# The kernel's own tests of its detector, which newer kernels have, before those that
# leave a detector of no use.
install_kernel_tests()
{
	for file in "$linux/$selftests"/mm/ksft_kmemleak_*.sh; do
		[ -f "$file" ] || continue
		cp "$file" "$installed/kmemleak/"
		sed -i "s/^kmemleak:test_oom.sh\$/kmemleak:$(basename "$file")\n&/" \
			"$installed/kselftest-list.txt"
	done
}

# Nothing but the benchmark, and the module that leaks, is made to be built for the
# peer.
install_module()	# NAME
{
	rm -rf "$copy" "$installed"
	mkdir -p "$copy" "$installed/kmemleak/test_modules"
	rsync -aR "$linux/./$selftests/kmemleak/test_modules" "$copy/"
	kernel_make M="$copy/$selftests/kmemleak/test_modules" W=1 "$1.ko"
	cp "$copy/$selftests/kmemleak/test_modules/$1.ko" "$installed/kmemleak/test_modules/"
}

install_tool()
{
	install_module kmemleak_leaky
	make -s -C "$top/tools/mm/kmemleak" OUTPUT="$installed/kmemleak/" \
		CROSS_COMPILE="$cross" LDFLAGS=-static
}

install_modules()
{
	rm -rf "$modules"
	mkdir -p "$modules/lib/modules"
	[ "$purpose" = selftests ] || return 0
	kernel_make modules_install INSTALL_MOD_PATH="$modules"
	rm -f "$modules"/lib/modules/*/build
}

pack()
{
	{
		echo "dir /dev 755 0 0"
		echo "nod /dev/console 600 0 0 c 5 1"
		for dir in bin lib proc root sys tmp usr usr/bin var var/log; do
			echo "dir /$dir 755 0 0"
		done
		echo "file /bin/busybox $busybox 755 0 0"
		echo "slink /bin/sh busybox 777 0 0"
		echo "slink /usr/bin/env /bin/busybox 777 0 0"
		for file in init bench demo module tests tool; do
			echo "file /$file $top/initramfs/$file 755 0 0"
		done
		if [ "$purpose" = selftests ] && [ -d "$jq" ]; then
			echo "file /usr/bin/jq $jq/jq 755 0 0"
			# Programs for x86_64 name it for the loader.
			echo "slink /lib64 lib 777 0 0"
			for library in "$jq"/*.so*; do
				echo "file /lib/${library##*/} $library 755 0 0"
			done
		fi
		echo "file /usr/bin/timeout $top/initramfs/timeout 755 0 0"
		echo "file /bin/bash $top/initramfs/bash 755 0 0"
		[ "$purpose" = bench ] ||
			echo "slink /usr/bin/kmemleak /kselftest/kmemleak/kmemleak 777 0 0"
		entries "$modules/lib/modules" /lib/modules
		entries "$installed" /kselftest
	} > "$packed.list"
	"$objects/usr/gen_init_cpio" "$packed.list" > "$packed.tmp"
	mv "$packed.tmp" "$packed.cpio"
}

entries()	# DIRECTORY PATH: all that is in there, as PATH in the guest
{
	(cd "$1" && find . -type d) | sed "s|^\.|dir $2|; s|\$| 755 0 0|"
	(cd "$1" && find . -type f) | while read -r file; do
		echo "file $2/${file#./} $1/${file#./} $(stat -c %a "$1/$file") 0 0"
	done
}

case "$purpose" in
selftests)	step "selftests-$1" "build the selftests for $1" install_selftests ;;
bench)	step "selftests-$1" "build the benchmark for $1" install_module kmemleak_bench ;;
tool)	step "tool-$1" "build the command-line tool for $1" install_tool ;;
esac
step "initramfs-$1" "pack the initramfs for $1" eval "install_modules; pack"
