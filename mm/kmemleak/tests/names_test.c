// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of the names of tasks.
 *
 * This task takes one name after the other, allocates under some of them, and
 * looks at what its objects say, before and after sweeps.
 */
#include <kunit/test.h>
#include <linux/kmemleak.h>
#include <linux/kthread.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "audit.h"
#include "stacks.h"
#include "tree.h"

/* More than enough to fill the table. */
#define MANY		(16 * KML_NAMES_MAX)

/* Objects of each kind that keep their names. */
#define KEPT		40

/* How long threads rename themselves, in ms, and for how many sweeps at least. */
#define RENAME_MSECS	1500
#define RENAME_SWEEPS	3

#define RENAMERS	3

static void name_number(char *name, const char *kind, unsigned int number)
{
	memset(name, 0, TASK_COMM_LEN);
	snprintf(name, TASK_COMM_LEN, "%s%u", kind, number);
}

/* Of no object, so that the next sweep takes it. */
static u32 find(const char *name)
{
	u32 handle;

	rcu_read_lock();
	if (!kml_name_cached(name, &handle))
		handle = kml_name_find(name);
	rcu_read_unlock();
	return handle;
}

static bool is_cached(const char *name)
{
	u32 handle;
	bool cached;

	rcu_read_lock();
	cached = kml_name_cached(name, &handle);
	rcu_read_unlock();
	return cached;
}

static bool has_name(u32 handle, const char *name)
{
	char comm[TASK_COMM_LEN];

	kml_name_fetch(handle, comm);
	return !memcmp(comm, name, TASK_COMM_LEN);
}

static u32 comm_of(enum kml_space space, const void *ptr)
{
	struct kml_sight sight;

	kml_look(space, (unsigned long)kasan_reset_tag(ptr), &sight);
	return sight.where == KML_NOWHERE ? U32_MAX : sight.comm;
}

/* New names until there is no room for most of them. Returns how many had none. */
static unsigned int fill(struct kunit *test, const char *kind)
{
	unsigned int i, unknown = 0, wrong = 0;
	char name[TASK_COMM_LEN];

	for (i = 0; i < MANY; i++) {
		u32 handle;

		name_number(name, kind, i);
		handle = find(name);
		if (handle == KML_NAME_UNKNOWN)
			unknown++;
		else
			wrong += handle < KML_NAMES_RESERVED ||
				 !has_name(handle, name);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_LE(test, kml_names_taken(), KML_NAMES_MAX);
	return unknown;
}

/* ---- Tests ---- */

static void names_fixed(struct kunit *test)
{
	char name[TASK_COMM_LEN];
	u32 handle;

	for (handle = KML_NAMES_MAX - 1; handle <= KML_NAMES_MAX + 1; handle++) {
		kml_name_fetch(handle, name);
		if (handle >= KML_NAMES_MAX)
			KUNIT_EXPECT_STREQ(test, name, "?");
	}
	kml_name_fetch(KML_NAME_UNKNOWN, name);
	KUNIT_EXPECT_STREQ(test, name, "?");
	kml_name_fetch(KML_NAME_FIRST_TASK, name);
	KUNIT_EXPECT_STREQ(test, name, init_task.comm);
	kml_name_fetch(KML_NAME_HARDIRQ, name);
	KUNIT_EXPECT_STREQ(test, name, "hardirq");
	kml_name_fetch(KML_NAME_SOFTIRQ, name);
	KUNIT_EXPECT_STREQ(test, name, "softirq");
}

/* No name at all is one, and so is one of all bytes. */
static void names_odd(struct kunit *test)
{
	char name[TASK_COMM_LEN] = "";
	u32 empty = find(name), full;

	KUNIT_EXPECT_GE(test, empty, KML_NAMES_RESERVED);
	KUNIT_EXPECT_TRUE(test, has_name(empty, name));
	memset(name, 0xff, TASK_COMM_LEN - 1);
	full = find(name);
	KUNIT_EXPECT_GE(test, full, KML_NAMES_RESERVED);
	KUNIT_EXPECT_NE(test, full, empty);
	KUNIT_EXPECT_TRUE(test, has_name(full, name));
	/* One that is being changed, and has no end. */
	name[TASK_COMM_LEN - 1] = '\xff';
	KUNIT_EXPECT_EQ(test, find(name), full);
}

/* A full table has no room, keeps what it has, and is empty after a sweep. */
static void names_full(struct kunit *test)
{
	unsigned int taken;
	char name[TASK_COMM_LEN];

	kml_names_sweep();
	/* Nothing that the thread has allocated may be there. */
	find(current->comm);
	taken = kml_names_taken();
	KUNIT_EXPECT_LT(test, taken, KML_NAMES_MAX / 2);
	KUNIT_EXPECT_GT(test, fill(test, "full"), MANY - KML_NAMES_MAX);
	KUNIT_EXPECT_GT(test, kml_names_taken(), KML_NAMES_MAX * 9 / 10);
	/* Its own name is still found at once. */
	KUNIT_EXPECT_TRUE(test, has_name(find(current->comm), current->comm));

	kml_names_sweep();
	KUNIT_EXPECT_LE(test, kml_names_taken(), taken + 16);
	name_number(name, "after", 0);
	KUNIT_EXPECT_TRUE(test, has_name(find(name), name));
	kml_names_sweep();
}

/* Which of its words it shares with others does not matter. */
static void names_alike(struct kunit *test)
{
	static const char * const names[] = {
		"", "a", "aaaaaaaa", "aaaaaaaaa", "aaaaaaaabbbbbbb", "bbbbbbbbbbbbbbb",
		"bbbbbbbb", "aaaaaaab", "aaaaaaaabbbbbbc",
	};
	u32 handles[ARRAY_SIZE(names)];
	char name[TASK_COMM_LEN];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		strscpy_pad(name, names[i], sizeof(name));
		handles[i] = find(name);
		KUNIT_EXPECT_TRUE(test, has_name(handles[i], name));
		KUNIT_EXPECT_EQ(test, find(name), handles[i]);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, handles[i], handles[j]);
	}
}

/* Two names of which the hash is the same have a handle each. */
static void names_collide(struct kunit *test)
{
	static u16 number_at[KML_NAMES_MAX];
	char one[TASK_COMM_LEN], two[TASK_COMM_LEN];
	u32 place = 0, first, second;
	unsigned int i;

	memset(number_at, 0, sizeof(number_at));
	for (i = 1; i <= KML_NAMES_MAX + 1; i++) {
		name_number(two, "collide", i);
		place = kml_name_place(kml_name_word(two, 0),
				       kml_name_word(two, 1));
		if (number_at[place])
			break;
		number_at[place] = i;
	}
	name_number(one, "collide", number_at[place]);
	KUNIT_ASSERT_NE(test, strcmp(one, two), 0);
	first = find(one);
	second = find(two);
	KUNIT_EXPECT_NE(test, first, second);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, find(one), first);
		KUNIT_EXPECT_EQ(test, find(two), second);
	}
	KUNIT_EXPECT_TRUE(test, has_name(first, one));
	KUNIT_EXPECT_TRUE(test, has_name(second, two));
}

/* A name that is used in the midst of a sweep stays, and another one goes. */
static void names_revive(struct kunit *test)
{
	char used[TASK_COMM_LEN], unused[TASK_COMM_LEN];
	u32 handle, other;

	name_number(used, "used", 1);
	name_number(unused, "unused", 1);
	handle = find(used);
	other = find(unused);

	/* No assertion may fail here. */
	mutex_lock(&kml_names_mutex);
	kml_names_retire();
	KUNIT_EXPECT_FALSE(test, is_cached(used));
	KUNIT_EXPECT_FALSE(test, is_cached(unused));
	/* Those who read see the name all the time. */
	KUNIT_EXPECT_TRUE(test, has_name(handle, used));
	KUNIT_EXPECT_EQ(test, find(used), handle);
	KUNIT_EXPECT_EQ(test, find(used), handle);
	kml_names_note();
	kml_names_release();
	mutex_unlock(&kml_names_mutex);

	KUNIT_EXPECT_TRUE(test, has_name(handle, used));
	KUNIT_EXPECT_EQ(test, find(used), handle);
	KUNIT_EXPECT_TRUE(test, has_name(other, "?\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
	KUNIT_EXPECT_FALSE(test, is_cached(unused));
}

/* Objects of all kinds keep their names, whatever comes after them. */
static void names_kept(struct kunit *test)
{
	static void *slots[KEPT], *records[KEPT], *areas[KEPT];
	static void __percpu *percpu[KEPT];
	char name[TASK_COMM_LEN];
	unsigned int i, wrong = 0;

	for (i = 0; i < KEPT; i++) {
		name_number(name, "kept", i);
		__set_task_comm(current, name, false);
		slots[i] = kmalloc(64, GFP_KERNEL);
		records[i] = kmalloc(64, GFP_KERNEL);
		kmemleak_no_scan(records[i]);
		/* What describes these may outlive them. */
		name_number(name, "area", i);
		__set_task_comm(current, name, false);
		areas[i] = vmalloc(64);
		percpu[i] = __alloc_percpu(8, 8);
	}
	__set_task_comm(current, "names_kept", false);
	/* What follows must not take their handles. */
	fill(test, "stranger");
	for (i = 0; i < 3; i++) {
		kml_names_sweep();
		fill(test, i ? "foreign" : "other");
	}
	for (i = 0; i < KEPT; i++) {
		name_number(name, "kept", i);
		wrong += !has_name(comm_of(KML_VIRT, slots[i]), name);
		wrong += !has_name(comm_of(KML_VIRT, records[i]), name);
		name_number(name, "area", i);
		wrong += !has_name(comm_of(KML_VIRT, areas[i]), name);
		wrong += !has_name(comm_of(KML_PERCPU,
					   (void *)(__force unsigned long)percpu[i]),
				   name);
		kfree(slots[i]);
		kfree(records[i]);
		vfree(areas[i]);
		free_percpu(percpu[i]);
	}
	/* They would hide leaks from the scans of other tests. */
	memset(slots, 0, sizeof(slots));
	memset(records, 0, sizeof(records));
	memset(areas, 0, sizeof(areas));
	memset(percpu, 0, sizeof(percpu));
	KUNIT_EXPECT_EQ(test, wrong, 0);
	/* The tags of a slab's objects stay, with the name of who came first. */
	if (mem_alloc_profiling_enabled())
		return;
	kml_names_sweep();
	/* Gone with the objects. */
	for (i = 0; i < KEPT; i++) {
		name_number(name, "kept", i);
		wrong += is_cached(name);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* A new name costs the trace nothing; what is allocated has both. */
static void names_new_trace(struct kunit *test)
{
	struct walk walk = { .take = kml_take_twice };
	unsigned int i;

	if (!TASKS_CACHED)
		kunit_skip(test, "stacks are not cached");
	kml_expect_task(&walk);
	for (i = 0; i < 200; i++) {
		char name[TASK_COMM_LEN];

		name_number(name, "trace", i);
		__set_task_comm(current, name, false);
		kml_walk_once(&walk);
	}
	KUNIT_EXPECT_EQ_MSG(test, walk.wrong, 0, "of %u: %s", walk.taken,
			    walk.complaint);
	/* Other CPUs that this task comes to have to find out once. */
	KUNIT_EXPECT_GE(test, walk.known + num_online_cpus(), walk.taken / 2);
}

/* ---- All at once ---- */

/**
 * struct renamer - thread that takes names, and allocates
 * @task: the thread
 * @number: its number
 * @taken: names that it had
 * @unknown: how many of its objects had no name
 * @wrong: how many of its objects had the name of another one
 */
struct renamer {
	struct task_struct *task;
	unsigned int number;
	unsigned int taken;
	unsigned int unknown;
	unsigned int wrong;
};

static int rename_thread(void *data)
{
	struct renamer *renamer = data;
	char name[TASK_COMM_LEN], held_name[TASK_COMM_LEN] = "";
	void *ptr, *held = NULL;
	u32 handle;

	while (!kthread_should_stop()) {
		memset(name, 0, sizeof(name));
		snprintf(name, sizeof(name), "%x-%x", renamer->number,
			 renamer->taken++);
		__set_task_comm(current, name, false);
		ptr = kmalloc(32, GFP_KERNEL);
		handle = comm_of(KML_VIRT, ptr);
		if (handle == KML_NAME_UNKNOWN)
			renamer->unknown++;
		else
			renamer->wrong += !has_name(handle, name);
		/* One lives for a while, and still has its name then. */
		if (held && renamer->taken % 512 == 0) {
			handle = comm_of(KML_VIRT, held);
			renamer->wrong += handle != KML_NAME_UNKNOWN &&
					  !has_name(handle, held_name);
			kfree(held);
			held = NULL;
		}
		if (held) {
			kfree(ptr);
		} else {
			held = ptr;
			memcpy(held_name, name, sizeof(name));
		}
		cond_resched();
	}
	kfree(held);
	return 0;
}

static void names_race(struct kunit *test)
{
	struct renamer *renamers;
	unsigned int i, sweeps = 0, taken = 0, unknown = 0;
	unsigned long end = jiffies + msecs_to_jiffies(RENAME_MSECS);

	renamers = kunit_kcalloc(test, RENAMERS, sizeof(*renamers), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, renamers);
	for (i = 0; i < RENAMERS; i++) {
		renamers[i].number = i;
		renamers[i].task = kthread_run(rename_thread, &renamers[i],
					       "renamer");
	}
	/* A host may be busy, and give a guest little time. */
	while (time_before(jiffies, end) || sweeps < RENAME_SWEEPS) {
		kml_names_sweep();
		sweeps++;
		cond_resched();
	}
	for (i = 0; i < RENAMERS; i++) {
		KUNIT_ASSERT_FALSE(test, IS_ERR(renamers[i].task));
		kthread_stop(renamers[i].task);
		KUNIT_EXPECT_EQ(test, renamers[i].wrong, 0);
		taken += renamers[i].taken;
		unknown += renamers[i].unknown;
	}
	KUNIT_EXPECT_GT(test, taken, unknown);
	kunit_info(test, "%u names, %u without room, %u sweeps\n", taken,
		   unknown, sweeps);
}

/* ---- The suite ---- */

static char own_name[TASK_COMM_LEN];

static int names_test_init(struct kunit *test)
{
	skip_if_off(test);
	get_task_comm(own_name, current);
	/* No sweeps but those of the test. */
	return hold_names(test);
}

static void names_test_exit(struct kunit *test)
{
	if (!kml_tracking())
		return;
	__set_task_comm(current, own_name, false);
	/* There is room for the tests that follow. */
	let_names_go(test);
}

static struct kunit_case names_cases[] = {
	KUNIT_CASE(names_fixed),
	KUNIT_CASE(names_odd),
	KUNIT_CASE(names_full),
	KUNIT_CASE(names_alike),
	KUNIT_CASE(names_collide),
	KUNIT_CASE(names_revive),
	KUNIT_CASE(names_kept),
	KUNIT_CASE(names_new_trace),
	KUNIT_CASE(names_race),
	{}
};

static struct kunit_suite names_suite = {
	.name = "kmemleak_names",
	.init = names_test_init,
	.exit = names_test_exit,
	.test_cases = names_cases,
};

kunit_test_suite(names_suite);
