#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Version:   Linux 6.12.117 (Debian's bookworm-security, package linux-source-6.12
#            6.12.117-1~deb12u1), x86_64, built with GCC 12, in QEMU 7.2
# Behaviour: With CONFIG_KFENCE the kernel's own leak detector never reports an object
#            that KFENCE happened to serve. KFENCE keeps the address of each of its
#            objects in a table of metadata; that is boot memory, which the detector
#            searches for references. The pool itself is excluded, the table is not. So
#            the shorter kfence.sample_interval is, as for testing, the fewer leaks are
#            seen; with the usual 100 ms it is those of one allocation in that time.
# Output:    sample_interval=0: 100 lost, 0 of them in KFENCE's pool 100 reported
#            sample_interval=1: 100 lost, 99 of them in KFENCE's pool 1 reported
#            (give or take a few)
# Met in:    a test that loses objects one by one, on a kernel that samples often.
#
# Fails if that is not so any more. Nothing of this project is used. It takes 2 GB and
# some five minutes, and needs what a kernel is built with, and qemu-system-x86_64.

set -eu
package=linux-source-6.12=6.12.117-1~deb12u1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# With lists of its own: those of the machine stay as they are.
cd "$work"
mkdir -p state/lists/partial cache/archives/partial
: > status
key=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$key] http://deb.debian.org/debian-security bookworm-security main" > list
apt()
{
	apt-get -o Dir::State="$work/state" -o Dir::State::status="$work/status" \
		-o Dir::Cache="$work/cache" -o Dir::Etc::SourceList="$work/list" \
		-o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User=root "$@"
}
{ apt update && apt download "$package"; } > log 2>&1 ||
	{ cat log; echo "$package cannot be had"; exit 2; }
dpkg-deb -x ./*.deb root
tar -xf root/usr/src/linux-source-6.12.tar.xz
rm -rf root ./*.deb
cd linux-source-6.12

# It waits for longer than KFENCE does, so that the next object is one of KFENCE's.
cat > init/lose.c << 'END'
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/kfence.h>
#include <linux/slab.h>

static noinline bool lose_one(void)
{
	void *object = kmalloc(512, GFP_KERNEL);

	return object && is_kfence_address(object);
}

static int __init lose_some(void)
{
	int i, in_pool = 0;

	for (i = 0; i < 100; i++) {
		in_pool += lose_one();
		msleep(30);
	}
	pr_info("result: 100 lost, %d of them in KFENCE's pool\n", in_pool);
	return 0;
}
late_initcall(lose_some);
END
echo "obj-y += lose.o" >> init/Makefile

cat > "$work/init.c" << 'END'
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPORT "/sys/kernel/debug/kmemleak"

/* An object has to be some seconds old, and to be found by two scans. */
int main(void)
{
	static char line[512];
	int i, fd, reported = 0;
	FILE *report;

	mkdir("/sys", 0755);
	mount("none", "/sys", "sysfs", 0, NULL);
	mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	sleep(8);
	for (i = 0; i < 3; i++) {
		fd = open(REPORT, O_WRONLY);
		if (fd < 0 || write(fd, "scan", 4) != 4)
			perror(REPORT);
		close(fd);
		sleep(1);
	}
	report = fopen(REPORT, "r");
	while (report && fgets(line, sizeof(line), report))
		reported += !!strstr(line, "lose_one");
	printf("result: %d reported\n", report ? reported : -1);
	fflush(stdout);
	sync();
	return reboot(RB_AUTOBOOT);
}
END
gcc -static -O2 -o "$work/init" "$work/init.c"
cat > "$work/archive" << END
dir /dev 0755 0 0
nod /dev/console 0600 0 0 c 5 1
file /init $work/init 0755 0 0
END

cat > "$work/fragment" << END
CONFIG_64BIT=y
CONFIG_PRINTK=y
CONFIG_TTY=y
CONFIG_SERIAL_8250=y
CONFIG_SERIAL_8250_CONSOLE=y
CONFIG_BLK_DEV_INITRD=y
CONFIG_INITRAMFS_SOURCE="$work/archive"
CONFIG_BINFMT_ELF=y
CONFIG_SYSFS=y
CONFIG_DEBUG_KERNEL=y
CONFIG_DEBUG_FS=y
CONFIG_DEBUG_KMEMLEAK=y
CONFIG_KFENCE=y
CONFIG_KFENCE_NUM_OBJECTS=4000
CONFIG_KALLSYMS=y
CONFIG_HIGH_RES_TIMERS=y
END
{
	make -s allnoconfig KCONFIG_ALLCONFIG="$work/fragment" &&
		make -s -j "$(nproc)" bzImage
} > "$work/log" 2>&1 || { tail "$work/log"; echo "the kernel was not built"; exit 2; }

# Sets lost, in_pool and reported.
run()	# MILLISECONDS
{
	timeout 300 qemu-system-x86_64 -m 512M -nographic -no-reboot -net none \
		-kernel arch/x86/boot/bzImage \
		-append "console=ttyS0 panic=-1 kmemleak=on kfence.sample_interval=$1" \
		< /dev/null > "$work/console" 2>&1 || :
	words=$(tr -d '\r' < "$work/console" | sed -n 's/.*result: //p' | tr '\n' ' ')
	echo "sample_interval=$1: $words"
	# shellcheck disable=SC2086
	set -- $words
	[ $# = 10 ] || { tail "$work/console"; exit 2; }
	lost=$1 in_pool=$3 reported=$9
}

echo "Linux $(make -s kernelversion):"
run 0
[ "$in_pool" = 0 ] && [ "$reported" -ge 80 ] || exit 1
run 1
[ "$in_pool" -ge 80 ] && [ "$reported" -le $((lost - in_pool)) ] || exit 1
