#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests modules of users' own in `make run` and `make shell`.

set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A driver that forgets its table, whose file has another name than the module has in the
# kernel.
driver()
{
	mkdir "$work/driver"
	echo 'obj-m := my-driver.o' > "$work/driver/Makefile"
	cat > "$work/driver/my-driver.c" <<-'C'
	#include <linux/module.h>
	#include <linux/slab.h>

	static void *table;

	static int __init my_init(void)
	{
		table = kmalloc(100, GFP_KERNEL);
		return table ? 0 : -ENOMEM;
	}

	static void __exit my_exit(void)
	{
	}

	module_init(my_init);
	module_exit(my_exit);
	MODULE_DESCRIPTION("Forgets its table");
	MODULE_LICENSE("GPL");
	C
}

# Two modules, built by a Kbuild, of which one uses the other and comes with an option that
# the kernel does not know, and a script that writes a parameter.
pair()
{
	mkdir -p "$work/driver/include"
	cat > "$work/driver/Kbuild" <<-'K'
	obj-m := helper.o
	obj-$(CONFIG_MINE) += my-driver.o
	ccflags-y := -I$(PWD)/include
	K
	echo 'void helper_free(void *table);' > "$work/driver/include/helper.h"
	cat > "$work/driver/helper.c" <<-'C'
	#include <linux/module.h>
	#include <linux/slab.h>
	#include "helper.h"

	void helper_free(void *table)
	{
		int of_no_use;

		kfree(table);
	}
	EXPORT_SYMBOL_GPL(helper_free);
	MODULE_DESCRIPTION("Frees a table");
	MODULE_LICENSE("GPL");
	C
	cat > "$work/driver/my-driver.c" <<-'C'
	#include <linux/module.h>
	#include <linux/slab.h>
	#include "helper.h"

	static void *table;
	static int len;
	module_param(len, int, 0644);

	static int __init my_init(void)
	{
		table = kmalloc(100, GFP_KERNEL);
		return table ? 0 : -ENOMEM;
	}

	static void __exit my_exit(void)
	{
		helper_free(table);
	}

	module_init(my_init);
	module_exit(my_exit);
	MODULE_DESCRIPTION("Has its table freed");
	MODULE_LICENSE("GPL");
	C
	cat > "$work/driver/exercise.sh" <<-'S'
	#!/bin/sh
	echo "the length was $(cat /sys/module/my_driver/parameters/len)"
	echo 7 > /sys/module/my_driver/parameters/len
	echo "the length is $(cat /sys/module/my_driver/parameters/len)"
	S
}

list()
{
	(cd "$work/driver" && find . -type f -exec cksum {} + | sort)
}

# runs STATUS VARIABLE=VALUE...: make run ends with that status.
runs()
{
	want=$1
	shift
	got=0
	env "$@" "$top/scripts/run.sh" > "$work/out" 2>&1 || got=$?
	cat "$work/out"
	[ "$got" = "$want" ]
}

test_leak_is_shown_with_its_line()
{
	driver
	list > "$work/before"
	runs 1 HOME="$work" MODULE="~/driver"
	grep -q '^with frames of my_driver: 1 of 1$' "$work/out"
	grep -q '^my_init() in my-driver.c, allocated at line 8, never freed:$' "$work/out"
	grep -q '^  > *8 .*table = kmalloc(100, GFP_KERNEL);$' "$work/out"
	grep -q '^There is no exercise.sh in ' "$work/out"
	grep -q '^LEAKS: ' "$work/out"
	list | diff "$work/before" -
}

test_modules_without_a_leak()
{
	pair
	runs 0 MODULE="$work/driver" PARAMS="len=5" CONFIG_MINE=m
	grep -q '^the length was 5$' "$work/out"
	grep -q '^the length is 7$' "$work/out"
	grep -q '^no new leaks$' "$work/out"
	grep -q '^CLEAN: ' "$work/out"
}

test_module_that_cannot_be_loaded()
{
	driver
	sed -i 's/return table.*/kfree(table);\n\treturn -ENODEV;/' "$work/driver/my-driver.c"
	runs 1 MODULE="$work/driver"
	grep -q 'insmod.*No such device' "$work/out"
	grep -q '^FAILED: ' "$work/out"
}

# What is typed before the shell has begun would be lost.
test_shell_has_the_module()
{
	driver
	mkfifo "$work/keys"
	MODULE=$work/driver "$top/scripts/shell.sh" < "$work/keys" > "$work/out" 2>&1 &
	shell=$!
	exec 9> "$work/keys"
	for _ in $(seq 300); do
		! grep -q '/root #' "$work/out" || break
		kill -0 $shell
		sleep 1
	done
	printf 'kmemleak module ./my-driver.ko\nexit\n' >&9
	wait $shell
	tr -d '\r' < "$work/out" | tee "$work/text"
	grep -q '^with frames of my_driver: 1 of 1$' "$work/text"
}

# refused TEXT VARIABLE=VALUE...: make run and make shell say so, and do nothing.
refused()
{
	text=$1
	shift
	for script in run shell; do
		if env "$@" "$top/scripts/$script.sh" > "$work/out" 2>&1 < /dev/null; then
			return 1
		fi
		cat "$work/out"
		[ "$(cat "$work/out")" = "$script.sh: $text" ]
	done
}

test_what_is_no_module_is_refused()
{
	refused "MODULE is no directory: $work/none; name the one with its Makefile" \
		MODULE="$work/none"
	mkdir "$work/empty"
	refused "there is no Makefile in $work/empty; one line is enough: obj-m := NAME.o" \
		MODULE="$work/empty"
	cd "$top"
	refused "MODULE has the detector in it: $top" MODULE=.
	if make run MODULE= > "$work/out" 2>&1; then
		return 1
	fi
	grep -q 'MODULE is empty' "$work/out"
	refused "FRAGMENT is no file: $work/none" FRAGMENT="$work/none"
}

# not_built TEXT: building it fails with this.
not_built()
{
	users_module=$work/driver
	kernel_setup "$GUEST_ARCH"
	module_source
	if (module_build) > "$work/out" 2>&1; then
		return 1
	fi
	cat "$work/out"
	grep -q "$1" "$work/out"
}

test_what_cannot_be_built_says_why()
{
	driver
	cp "$work/driver/my-driver.c" "$work/good.c"
	echo 'obj-n := my-driver.o' > "$work/driver/Makefile"
	not_built '^Nothing was built: '
	echo 'obj-m := my-driver.o' > "$work/driver/Makefile"
	sed 's/table ?/tabel ?/' "$work/good.c" > "$work/driver/my-driver.c"
	not_built "$work/driver/my-driver.c:9:.*tabel"
	sed 's/return table/nowhere(); &/; s/^static void \*table/void nowhere(void);\n&/' \
		"$work/good.c" > "$work/driver/my-driver.c"
	not_built 'nowhere.* undefined!'
	not_built 'FRAGMENT=FILE'
}

if [ $# != 0 ]; then
	"$@"
	exit
fi
each_test "make run and make shell with MODULE"
