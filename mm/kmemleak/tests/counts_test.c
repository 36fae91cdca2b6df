// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of counting leaks by trace.
 *
 * Made-up leaks are counted, and once more without all that makes it quick.
 */
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/kallsyms.h>
#include <linux/prandom.h>
#include <linux/seq_file.h>
#include <linux/stackdepot.h>
#include <linux/string.h>

#include "../report/report.h"
#include "tree.h"

#define TRACES	12
#define COMMS	9
#define BUILDS	3
#define LEAKS	20000

/* Room for what is printed. */
#define TEXT	4096

/**
 * struct model - what is to be counted of some trace and name
 * @sum: the count
 */
struct model {
	struct kml_total sum[TRACES][COMMS];
};

static struct kml_counts counts;

/* Return addresses in code that stays, others for each @number. */
static unsigned int frames(unsigned int number, unsigned long *entries)
{
	unsigned int i, nr = 1 + number % 5;

	for (i = 0; i < nr; i++)
		entries[i] = (unsigned long)kml_scan + 4 * (1 + i + 8 * number);
	return nr;
}

/* A frame in a module that is gone. It reads the same in all its builds. */
static unsigned long frame_in(unsigned int build)
{
	static char text[64];
	struct kml_code code = {
		.name = "kml_tally",
		.symbols = build,
		.start = (unsigned long)text,
		.size = sizeof(text),
	};
	unsigned long frame;

	if (kml_code_add(&code))
		return 0;
	frame = kml_code_pack((unsigned long)&text[16]);
	kml_code_remove(code.start);
	return frame;
}

/* Called from a module, unless @caller is 0. */
static depot_stack_handle_t trace_of(unsigned int number, unsigned long caller)
{
	unsigned long entries[5 + 1];
	unsigned int nr = frames(number, entries);

	entries[nr] = caller;
	return stack_depot_save(entries, caller ? nr + 1 : nr, GFP_KERNEL);
}

static u32 comm_of(const char *name)
{
	char comm[TASK_COMM_LEN];

	strscpy_pad(comm, name, sizeof(comm));
	return kml_name_find(comm);
}

static struct kml_record *new_leak(struct kunit *test)
{
	struct kml_record *rec = kunit_kzalloc(test, sizeof(*rec), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, rec);
	raw_spin_lock_init(&rec->lock);
	rec->size = 8;
	rec->jiffies = jiffies;
	return rec;
}

static void model_add(struct kml_total *sum, const struct kml_record *rec)
{
	if (!sum->objects || time_before(rec->jiffies, sum->oldest))
		sum->oldest = rec->jiffies;
	if (!sum->objects || time_after(rec->jiffies, sum->youngest))
		sum->youngest = rec->jiffies;
	sum->objects++;
	sum->bytes += rec->size;
	sum->direct += !rec->held_by;
}

static void expect_sum(struct kunit *test, const struct kml_total *got,
		       const struct kml_total *want)
{
	KUNIT_EXPECT_EQ(test, got->objects, want->objects);
	KUNIT_EXPECT_EQ(test, got->bytes, want->bytes);
	KUNIT_EXPECT_EQ(test, got->direct, want->direct);
	KUNIT_EXPECT_EQ(test, got->oldest, want->oldest);
	KUNIT_EXPECT_EQ(test, got->youngest, want->youngest);
}

static unsigned int nr_groups(void)
{
	struct list_head *group;
	unsigned int nr = 0;

	list_for_each(group, &counts.groups)
		nr++;
	return nr;
}

/* The number of the trace by its innermost frame. */
static int number_of(const struct kml_count *group)
{
	unsigned long *entries;
	unsigned int nr = kml_trace_fetch(group->trace, &entries);

	return nr ? (entries[0] - (unsigned long)kml_scan) / 4 / 8 : -1;
}

static void expect_group(struct kunit *test, const struct kml_count *group,
			 const struct kml_total *want)
{
	const struct kml_count *count, *last = NULL;
	struct kml_total all = {};
	unsigned int i, nr = 0;

	list_for_each_entry(count, &group->members, link) {
		KUNIT_ASSERT_TRUE(test, str_has_prefix(count->comm, "name"));
		i = count->comm[4] - '0';
		KUNIT_ASSERT_LT(test, i, COMMS);
		expect_sum(test, &count->own, &want[i]);
		if (last)
			KUNIT_EXPECT_GE(test, last->own.objects, count->own.objects);
		last = count;
		nr++;
	}
	KUNIT_EXPECT_EQ(test, nr, group->comms);
	for (i = 0; i < COMMS; i++) {
		nr -= want[i].objects > 0;
		all.objects += want[i].objects;
		all.bytes += want[i].bytes;
	}
	KUNIT_EXPECT_EQ(test, nr, 0);
	KUNIT_EXPECT_EQ(test, group->all.objects, all.objects);
	KUNIT_EXPECT_EQ(test, group->all.bytes, all.bytes);
}

/* Traces and names of any number, each trace through some builds of a module. */
static void counts_random(struct kunit *test)
{
	struct model *model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	struct kml_record *rec = new_leak(test);
	unsigned long callers[BUILDS];
	u32 comms[COMMS];
	const struct kml_count *group;
	unsigned long last = ULONG_MAX;
	struct rnd_state rnd;
	char name[] = "name0";
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, model);
	prandom_seed_state(&rnd, 4711);
	for (i = 0; i < COMMS; i++) {
		name[4] = '0' + i;
		comms[i] = comm_of(name);
		KUNIT_ASSERT_NE(test, comms[i], 0);
	}
	for (i = 0; i < BUILDS; i++) {
		callers[i] = frame_in(i);
		KUNIT_ASSERT_NE(test, callers[i], 0);
		if (i)
			KUNIT_ASSERT_NE(test, callers[i], callers[i - 1]);
	}
	for (i = 0; i < LEAKS; i++) {
		u32 bits = prandom_u32_state(&rnd);
		/* Not all with all. */
		unsigned int number = bits % TRACES;
		unsigned int comm = (bits >> 8) % (1 + number % COMMS);

		rec->trace = trace_of(number, callers[(bits >> 16) % BUILDS]);
		rec->comm = comms[comm];
		rec->size = 1 + (bits >> 18) % 1000 * number;
		rec->held_by = bits >> 31;
		rec->jiffies = jiffies - (bits >> 20);
		rec->start = i;
		KUNIT_ASSERT_EQ(test, kml_counts_add(&counts, rec), 0);
		model_add(&model->sum[number][comm], rec);
	}
	kml_counts_finish(&counts);

	KUNIT_EXPECT_EQ(test, nr_groups(), TRACES);
	list_for_each_entry(group, &counts.groups, group) {
		int number = number_of(group);

		KUNIT_ASSERT_GE(test, number, 0);
		KUNIT_ASSERT_LT(test, number, TRACES);
		KUNIT_EXPECT_LE(test, group->all.bytes, last);
		last = group->all.bytes;
		expect_group(test, group, model->sum[number]);
	}
}

/* So many that they do not fit into one page. */
static void counts_many(struct kunit *test)
{
	struct kml_record *rec = new_leak(test);
	const struct kml_count *group;
	unsigned int i;

	for (i = 0; i < 500; i++) {
		rec->trace = trace_of(i, 0);
		rec->size = 1000 + i;
		rec->start = i;
		KUNIT_ASSERT_EQ(test, kml_counts_add(&counts, rec), 0);
	}
	kml_counts_finish(&counts);
	KUNIT_EXPECT_EQ(test, nr_groups(), 500);
	list_for_each_entry(group, &counts.groups, group) {
		i--;
		KUNIT_EXPECT_EQ(test, group->all.bytes, 1000 + i);
		KUNIT_EXPECT_EQ(test, group->all.first, i);
		KUNIT_EXPECT_EQ(test, group->all.objects, 1);
	}
}

static void counts_empty(struct kunit *test)
{
	kml_counts_finish(&counts);
	KUNIT_EXPECT_EQ(test, nr_groups(), 0);
	kml_counts_clear(&counts);
	kml_counts_clear(&counts);
	KUNIT_EXPECT_EQ(test, nr_groups(), 0);
	KUNIT_EXPECT_NULL(test, counts.pages);
}

/* A leak of this trace and size that hangs from one of that trace; 0: a direct one. */
static void count_under(struct kunit *test, unsigned int number, size_t size,
			unsigned int lead)
{
	struct kml_record *rec = new_leak(test);
	struct kml_count *count;

	rec->trace = trace_of(number, 0);
	rec->size = size;
	rec->held_by = lead ? 0x1234 : 0;
	KUNIT_ASSERT_EQ(test, kml_counts_add(&counts, rec), 0);
	/* The leads of made-up leaks are found nowhere. */
	count = kml_counts_find(&counts, kml_handles(rec->trace, rec->comm), NULL);
	KUNIT_ASSERT_NOT_NULL(test, count);
	if (lead)
		count->lead = trace_of(lead, 0);
}

/* Each direct one with what hangs from it, however large that is. */
static void counts_order(struct kunit *test)
{
	/* Of the first two of as many bytes the one that has more leaks is first. */
	static const int want[] = { 2, 7, 1, 5, 6, 3, 8, 4, 9 };
	const struct kml_count *group;
	unsigned int i = 0;

	count_under(test, 9, 5, 8);	/* of one that hangs itself: cannot be */
	count_under(test, 4, 5000, 10);	/* of one that is not there any more */
	count_under(test, 8, 10, 3);
	count_under(test, 6, 70, 1);
	count_under(test, 3, 100, 0);
	count_under(test, 7, 9000, 2);
	count_under(test, 1, 1000, 0);
	count_under(test, 2, 1000, 0);
	count_under(test, 2, 0, 0);
	count_under(test, 5, 80, 1);
	kml_counts_finish(&counts);
	KUNIT_EXPECT_EQ(test, nr_groups(), ARRAY_SIZE(want));
	list_for_each_entry(group, &counts.groups, group) {
		KUNIT_ASSERT_LT(test, i, ARRAY_SIZE(want));
		KUNIT_EXPECT_EQ(test, number_of(group), want[i++]);
	}
}

/* ---- What is printed ---- */

static const char *show(struct kunit *test, const struct kml_count *group,
			unsigned long when)
{
	char *text = kunit_kzalloc(test, TEXT, GFP_KERNEL);
	struct seq_file seq = { .buf = text, .size = TEXT - 1 };

	KUNIT_ASSERT_NOT_NULL(test, text);
	kml_show_group(&seq, group, when);
	KUNIT_EXPECT_FALSE(test, seq_has_overflowed(&seq));
	return text;
}

/* The frames of trace @number, one a line. */
static char *append_frames(char *text, unsigned int number)
{
	unsigned long entries[5];
	unsigned int i, nr = frames(number, entries);

	for (i = 0; i < nr; i++) {
		text += sprintf(text, "    ");
		text += sprint_symbol(text, entries[i]);
		text += sprintf(text, "\n");
	}
	return text;
}

static void count(struct kunit *test, unsigned int number, const char *comm,
		  unsigned int age, unsigned long held_by)
{
	struct kml_record *rec = new_leak(test);

	rec->trace = trace_of(number, 0);
	rec->comm = comm_of(comm);
	rec->jiffies = -1UL - age * HZ;
	rec->held_by = held_by;
	KUNIT_ASSERT_EQ(test, kml_counts_add(&counts, rec), 0);
}

static void counts_text(struct kunit *test)
{
	char *want = kunit_kzalloc(test, TEXT, GFP_KERNEL);
	const struct kml_count *group;
	char *end;

	KUNIT_ASSERT_NOT_NULL(test, want);
	count(test, 3, "one", 10, 0);
	count(test, 3, "one", 3, 0x1234);
	count(test, 3, "two", 5, 0x1234);
	count(test, 4, "one", 77, 0);
	kml_counts_finish(&counts);
	KUNIT_ASSERT_EQ(test, nr_groups(), 2);

	group = list_first_entry(&counts.groups, struct kml_count, group);
	end = want + sprintf(want, "3 leaks, 24 bytes, 1 direct, 2 indirect, age 3..10 s\n"
			     "  comm \"one\", \"two\"\n");
	append_frames(end, 3);
	/* As jiffies do soon after boot, the number wraps around. */
	KUNIT_EXPECT_STREQ(test, show(test, group, -1UL), want);

	group = list_next_entry(group, group);
	end = want + sprintf(want, "1 leaks, 8 bytes, 1 direct, 0 indirect, age 78..78 s\n"
			     "  comm \"one\"\n");
	append_frames(end, 4);
	KUNIT_EXPECT_STREQ(test, show(test, group, HZ - 1), want);
}

static void counts_comms(struct kunit *test)
{
	static const char * const comms[] = { "a\nb", "c\"d", "\\e", "\xff", "z" };
	const char *text, *line;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(comms); i++) {
		for (j = i; j < ARRAY_SIZE(comms); j++)
			count(test, 0, comms[i], 0, 0);
	}
	kml_counts_finish(&counts);
	KUNIT_ASSERT_EQ(test, nr_groups(), 1);
	text = show(test, list_first_entry(&counts.groups, struct kml_count,
					   group), -1UL);
	line = strchr(text, '\n');
	KUNIT_ASSERT_NOT_NULL(test, line);
	line++;
	*strchrnul(line, '\n') = '\0';
	KUNIT_EXPECT_STREQ(test, line,
			   "  comm \"a\\nb\", \"c\\\"d\", \"\\\\e\", \"\\377\" and 1 more");
}

/* Nothing is known of the trace, nor of the task. */
static void counts_no_trace(struct kunit *test)
{
	struct kml_record *rec = new_leak(test);
	const struct kml_count *group;

	KUNIT_ASSERT_EQ(test, kml_counts_add(&counts, rec), 0);
	KUNIT_ASSERT_EQ(test, kml_counts_add(&counts, rec), 0);
	kml_counts_finish(&counts);
	KUNIT_ASSERT_EQ(test, nr_groups(), 1);
	group = list_first_entry(&counts.groups, struct kml_count, group);
	KUNIT_EXPECT_STREQ(test, show(test, group, rec->jiffies),
			   "2 leaks, 16 bytes, 2 direct, 0 indirect, age 0..0 s\n"
			   "  comm \"?\"\n");
}

/* ---- Names ---- */

/* Whether they were kept or not, they are those that kallsyms has. */
static void counts_names(struct kunit *test)
{
	/* On the stack they would be more than there may be on 32 bits. */
	static char got[KSYM_SYMBOL_LEN], want[KSYM_SYMBOL_LEN];
	struct rnd_state rnd;
	unsigned long addr;
	unsigned int i, wrong = 0;

	prandom_seed_state(&rnd, 4712);
	for (i = 0; i < 20000; i++) {
		/* Some again and again, others once. */
		addr = prandom_u32_state(&rnd) % (i % 2 ? 100 : 100000);
		addr = (unsigned long)kml_scan + 4 * addr;
		kml_symbol(addr, got);
		kml_frame_name(addr, want);
		wrong += !!strcmp(got, want);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void counts_test_exit(struct kunit *test)
{
	kml_counts_clear(&counts);
	let_names_go(test);
}

static struct kunit_case counts_cases[] = {
	KUNIT_CASE(counts_random),
	KUNIT_CASE(counts_many),
	KUNIT_CASE(counts_order),
	KUNIT_CASE(counts_empty),
	KUNIT_CASE(counts_text),
	KUNIT_CASE(counts_comms),
	KUNIT_CASE(counts_no_trace),
	KUNIT_CASE(counts_names),
	{}
};

static struct kunit_suite counts_suite = {
	.name = "kmemleak_counts",
	.init = hold_names,
	.exit = counts_test_exit,
	.test_cases = counts_cases,
};

kunit_test_suite(counts_suite);
