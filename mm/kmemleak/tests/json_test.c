// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of its JSON.
 *
 * What is printed is read by a parser that takes nothing but JSON, whatever the
 * names are made of.
 */
#include <kunit/test.h>
#include <linux/cred.h>
#include <linux/ctype.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/kobject.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/stackdepot.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "../report/report.h"
#include "tree.h"
#include "cache.h"

/* Room for what is printed, and the longest string that is tried. */
#define TEXT	8192
#define STRING	300

/* ---- A parser; each function returns where it goes on, or NULL ---- */

static const char *parse_value(const char *p);

static const char *parse_literal(const char *p, const char *literal)
{
	return str_has_prefix(p, literal) ? p + strlen(literal) : NULL;
}

/* Decoded to @buf, if there is one; characters are one byte each. */
static const char *parse_string(const char *p, char *buf, size_t *len)
{
	static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	char hex[5] = {};
	const char *escape;
	size_t nr = 0;
	u16 code;

	if (*p++ != '"')
		return NULL;
	while (*p != '"') {
		if ((u8)*p < ' ' || (u8)*p >= 0x80)
			return NULL;
		code = *p++;
		if (code == '\\' && *p == 'u') {
			strscpy(hex, p + 1, sizeof(hex));
			if (strlen(hex) != 4 || kstrtou16(hex, 16, &code) ||
			    !isxdigit(hex[0]) || code > U8_MAX)
				return NULL;
			p += 5;
		} else if (code == '\\') {
			escape = *p ? strchr(escapes, *p) : NULL;
			if (!escape)
				return NULL;
			code = meanings[escape - escapes];
			p++;
		}
		if (buf && nr < STRING)
			buf[nr] = code;
		nr++;
	}
	if (len)
		*len = nr;
	return p + 1;
}

static const char *parse_number(const char *p)
{
	if (*p == '-')
		p++;
	if (!isdigit(*p) || (*p == '0' && isdigit(p[1])))
		return NULL;
	while (isdigit(*p))
		p++;
	return p;
}

static const char *parse_array(const char *p)
{
	p++;
	if (*p == ']')
		return p + 1;
	while ((p = parse_value(p)) && *p == ',')
		p++;
	return p && *p == ']' ? p + 1 : NULL;
}

static const char *parse_value(const char *p)
{
	switch (*p) {
	case '"':
		return parse_string(p, NULL, NULL);
	case '[':
		return parse_array(p);
	case 't':
		return parse_literal(p, "true");
	case 'f':
		return parse_literal(p, "false");
	case 'n':
		return parse_literal(p, "null");
	default:
		return parse_number(p);
	}
}

/* ---- Strings ---- */

static char *new_text(struct kunit *test)
{
	char *text = kunit_kzalloc(test, TEXT, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, text);
	return text;
}

static void expect_string(struct kunit *test, char *text, const char *bytes,
			  size_t len)
{
	struct seq_file seq = { .buf = text, .size = TEXT - 1 };
	char decoded[STRING];
	const char *end;
	size_t got;

	memset(text, 0, TEXT);
	kml_json_string(&seq, bytes, len);
	end = parse_string(text, decoded, &got);
	KUNIT_ASSERT_NOT_NULL_MSG(test, end, "%*pE", (int)len, bytes);
	KUNIT_EXPECT_EQ(test, end - text, seq.count);
	KUNIT_EXPECT_EQ(test, got, len);
	KUNIT_EXPECT_EQ_MSG(test, memcmp(decoded, bytes, len), 0, "%*pE",
			    (int)len, bytes);
}

static void json_bytes(struct kunit *test)
{
	char *text = new_text(test);
	char pair[2];
	unsigned int i;

	expect_string(test, text, "", 0);
	for (i = 0; i <= U16_MAX; i++) {
		pair[0] = i;
		pair[1] = i >> 8;
		expect_string(test, text, pair, sizeof(pair));
	}
}

static void json_random(struct kunit *test)
{
	static const char odd[] = "\"\\/u0\n\t\x7f\x80\xc3\xed\xff";
	char *text = new_text(test);
	struct rnd_state rnd;
	char bytes[STRING];
	unsigned int turn, i;

	prandom_seed_state(&rnd, 815);
	for (turn = 0; turn < 3000; turn++) {
		prandom_bytes_state(&rnd, bytes, sizeof(bytes));
		/* Many of those that need care in the other half. */
		for (i = 0; turn % 2 && i < sizeof(bytes); i++)
			bytes[i] = odd[(u8)bytes[i] % sizeof(odd)];
		expect_string(test, text, bytes,
			      prandom_u32_state(&rnd) % (STRING + 1));
	}
}

static void json_null(struct kunit *test)
{
	char *text = new_text(test);
	struct seq_file seq = { .buf = text, .size = TEXT - 1 };

	kml_json_string(&seq, NULL, 5);
	KUNIT_EXPECT_STREQ(test, text, "null");
}

/* ---- Lines ---- */

static const char * const json_keys[] = {
	"address", "size", "kind", "cache", "comm", "pid", "age_ms", "direct",
	"held_by", "module", "crc", "trace", "content", "content_text", "type",
	"refcount",
};

/* A made-up leak, as large as one byte. */
static struct kml_record *new_leak(struct kunit *test, enum kml_space space,
				   const void *ptr)
{
	struct kml_record *rec = kunit_kzalloc(test, sizeof(*rec), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, rec);
	rec->space = space;
	rec->start = (unsigned long)kasan_reset_tag(ptr);
	rec->size = 1;
	rec->alive = true;
	rec->jiffies = jiffies;
	raw_spin_lock_init(&rec->lock);
	return rec;
}

static int print_leak(char *text, struct kml_record *rec)
{
	struct seq_file seq = { .buf = text, .size = TEXT - 1 };
	int ret;

	memset(text, 0, TEXT);
	mutex_lock(&kml_scan_mutex);
	ret = kml_json_leak(&seq, rec);
	mutex_unlock(&kml_scan_mutex);
	return ret;
}

/* Where the value of @key is, in a line that has all keys and nothing else. */
static const char *value_of(const char *text, const char *key)
{
	const char *found = NULL, *p = text;
	unsigned int i;

	for (i = 0; p && i < ARRAY_SIZE(json_keys); i++) {
		char name[STRING] = {};

		if (*p++ != (i ? ',' : '{'))
			return NULL;
		p = parse_string(p, name, NULL);
		if (!p || *p++ != ':' || strcmp(name, json_keys[i]))
			return NULL;
		if (!strcmp(name, key))
			found = p;
		p = parse_value(p);
	}
	return p && !strcmp(p, "}\n") ? found : NULL;
}

static void expect_value(struct kunit *test, const char *text, const char *key,
			 const char *want)
{
	const char *value = value_of(text, key);

	KUNIT_ASSERT_NOT_NULL_MSG(test, value, "%s", text);
	KUNIT_EXPECT_TRUE_MSG(test, str_has_prefix(value, want), "%s is not %s in %s",
			      key, want, text);
}

static void json_values(struct kunit *test)
{
	char *text = new_text(test);
	struct kml_record *rec = new_leak(test, KML_VIRT, text);
	unsigned long entries[] = {
		(unsigned long)kml_scan + 4, (unsigned long)kml_scan + 8,
	};
	char comm[TASK_COMM_LEN] = "in\"smod";
	char *want = new_text(test);
	int len;

	rec->size = TEXT;
	rec->pid = 4711;
	rec->crc = 0xa81ea298;
	rec->jiffies = jiffies - 5 * HZ;
	rec->comm = kml_name_find(comm);
	rec->trace = stack_depot_save(entries, ARRAY_SIZE(entries), GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, print_leak(text, rec), 0);
	sprintf(want, "\"0x%08lx\",", rec->start);
	expect_value(test, text, "address", want);
	expect_value(test, text, "size", "8192,");
	expect_value(test, text, "kind", "\"slab\",");
	expect_value(test, text, "cache", "\"kmalloc-");
	expect_value(test, text, "comm", "\"in\\\"smod\",");
	expect_value(test, text, "pid", "4711,");
	expect_value(test, text, "age_ms", "5");
	expect_value(test, text, "direct", "true,");
	expect_value(test, text, "held_by", "null,");
	expect_value(test, text, "module", "null,");
	expect_value(test, text, "crc", "\"a81ea298\",");
	len = sprintf(want, "[\"");
	len += sprint_symbol(want + len, entries[0]);
	len += sprintf(want + len, "\",\"");
	len += sprint_symbol(want + len, entries[1]);
	sprintf(want + len, "\"]");
	expect_value(test, text, "trace", want);

	rec->held_by = 0x1000;
	rec->trace = 0;
	rec->pid = -1;
	rec->crc = 0;
	KUNIT_ASSERT_EQ(test, print_leak(text, rec), 0);
	expect_value(test, text, "direct", "false,");
	expect_value(test, text, "held_by", "\"0x00001000\",");
	expect_value(test, text, "pid", "-1,");
	expect_value(test, text, "crc", "\"0\",");
	expect_value(test, text, "trace", "[]");
}

/* As much as there is, of any byte. */
static void json_content(struct kunit *test)
{
	static const u8 bytes[] = { 'a', '"', '\\', 0, 0x1f, ' ', '~', 0x7f, 0xff };
	char *text = new_text(test);
	u8 *object = kunit_kzalloc(test, 64, GFP_KERNEL);
	struct kml_record *rec;

	KUNIT_ASSERT_NOT_NULL(test, object);
	rec = new_leak(test, KML_VIRT, object);
	memcpy(object, bytes, sizeof(bytes));
	rec->size = sizeof(bytes);
	KUNIT_ASSERT_EQ(test, print_leak(text, rec), 0);
	expect_value(test, text, "content", "\"61225c001f207e7fff\",");
	expect_value(test, text, "content_text", "\"a\\\"\\\\.. ~..\",");
	expect_value(test, text, "type", "null,");
	expect_value(test, text, "refcount", "null");

	memset(object, 'x', 64);
	rec->size = 64;
	KUNIT_ASSERT_EQ(test, print_leak(text, rec), 0);
	expect_value(test, text, "content_text",
		     "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\",");
}

/* By the function that makes it, and where else it makes something, by the cache. */
static void json_counted(struct kunit *test)
{
	char *text = new_text(test);
	struct kobject *kobj = kunit_kzalloc(test, sizeof(*kobj), GFP_KERNEL);
	unsigned long entries[] = { (unsigned long)kml_scan + 4, 0 };
	struct kml_record *rec;

	KUNIT_ASSERT_NOT_NULL(test, kobj);
	rec = new_leak(test, KML_VIRT, kobj);
	rec->size = sizeof(*kobj);
	kref_init(&kobj->kref);
	kref_get(&kobj->kref);
	entries[1] = (unsigned long)kobject_create_and_add + 4;
	rec->trace = stack_depot_save(entries, ARRAY_SIZE(entries), GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, print_leak(text, rec), 0);
	expect_value(test, text, "type", "\"struct kobject\",");
	expect_value(test, text, "refcount", "2}");

	/* Too short for what it should be. */
	rec->size = offsetof(struct kobject, kref) + 1;
	KUNIT_ASSERT_EQ(test, print_leak(text, rec), 0);
	expect_value(test, text, "type", "\"struct kobject\",");
	expect_value(test, text, "refcount", "null}");

	/* This one is none of a cache of its own, so it is no struct cred. */
	rec->size = sizeof(*kobj);
	entries[1] = (unsigned long)prepare_creds + 4;
	rec->trace = stack_depot_save(entries, ARRAY_SIZE(entries), GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, print_leak(text, rec), 0);
	expect_value(test, text, "type", "null,");

	/* The allocator itself is not who makes it. */
	entries[0] = (unsigned long)kobject_create_and_add + 4;
	rec->trace = stack_depot_save(entries, ARRAY_SIZE(entries), GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, print_leak(text, rec), 0);
	expect_value(test, text, "type", "null,");
}

static void json_comms(struct kunit *test)
{
	char *text = new_text(test);
	struct kml_record *rec = new_leak(test, KML_VIRT, text);
	char comm[TASK_COMM_LEN], decoded[STRING];
	struct rnd_state rnd;
	const char *value;
	unsigned int turn;
	size_t len;

	prandom_seed_state(&rnd, 816);
	for (turn = 0; turn < 300; turn++) {
		prandom_bytes_state(&rnd, comm, sizeof(comm));
		comm[TASK_COMM_LEN - 1] = '\0';
		rec->comm = kml_name_find(comm);
		KUNIT_ASSERT_NE(test, rec->comm, KML_NAME_UNKNOWN);
		KUNIT_ASSERT_EQ(test, print_leak(text, rec), 0);
		value = value_of(text, "comm");
		KUNIT_ASSERT_NOT_NULL_MSG(test, value, "%s", text);
		KUNIT_ASSERT_NOT_NULL(test, parse_string(value, decoded, &len));
		KUNIT_EXPECT_EQ(test, len, strlen(comm));
		KUNIT_EXPECT_EQ(test, memcmp(decoded, comm, len), 0);
	}
}

/* ---- Kinds ---- */

static void expect_kind(struct kunit *test, enum kml_space space,
			const void *ptr, const char *name, const char *cache)
{
	struct kml_ref ref = { .rec = new_leak(test, space, ptr) };
	struct kml_kind kind;

	KUNIT_EXPECT_EQ(test, kml_kind_of(&ref, &kind), 0);
	KUNIT_EXPECT_STREQ(test, kind.name, name);
	KUNIT_EXPECT_STREQ(test, kind.cache, cache);
}

static void json_kinds(struct kunit *test)
{
	static int in_image = 1;
	void __percpu *percpu = __alloc_percpu(8, 8);
	void *large = kmalloc(KMALLOC_MAX_CACHE_SIZE + 1, GFP_KERNEL);
	void *small = kmalloc(KMALLOC_MAX_CACHE_SIZE / 2, GFP_KERNEL);
	void *area = vmalloc(1);
	struct kml_kind kind;
	struct kml_ref ref;

	KUNIT_EXPECT_TRUE(test, percpu && large && small && area);
	if (percpu && large && small && area) {
		ref = (struct kml_ref){ .rec = new_leak(test, KML_VIRT, small) };
		KUNIT_EXPECT_EQ(test, kml_kind_of(&ref, &kind), 0);
		KUNIT_EXPECT_STREQ(test, kind.name, "slab");
		KUNIT_EXPECT_TRUE(test, str_has_prefix(kind.cache, "kmalloc-"));
		expect_kind(test, KML_VIRT, large, "page", "");
		expect_kind(test, KML_VIRT, area, "vmalloc", "");
		expect_kind(test, KML_PERCPU, (void *)(__force unsigned long)percpu,
			    "percpu", "");
		expect_kind(test, KML_VIRT, &in_image, "other", "");
		ref.rec->alive = false;
		KUNIT_EXPECT_EQ(test, kml_kind_of(&ref, &kind), -ENOENT);
	}
	vfree(area);
	kfree(small);
	kfree(large);
	free_percpu(percpu);
}

/* Who makes a cache may call it what they like. */
static void json_cache(struct kunit *test)
{
	static const char name[] =
		"kml_\"\\\t\x7f\xff_and_more_than_the_room_that_there_is_for_names_of_caches";
	char *text = new_text(test), decoded[STRING];
	struct kmem_cache *cache;
	const char *value;
	size_t len = 0;
	void *ptr;

	cache = create_own_cache(name, 40, 0, 0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	ptr = kmem_cache_alloc(cache, GFP_KERNEL);
	if (ptr) {
		KUNIT_EXPECT_EQ(test, print_leak(text, new_leak(test, KML_VIRT,
								ptr)), 0);
		value = value_of(text, "cache");
		KUNIT_EXPECT_NOT_NULL_MSG(test, value, "%s", text);
		if (value && parse_string(value, decoded, &len))
			KUNIT_EXPECT_EQ(test, memcmp(decoded, name, len), 0);
		KUNIT_EXPECT_EQ(test, len, KML_CACHE_NAME_LEN - 1);
		kmem_cache_free(cache, ptr);
	}
	kmem_cache_destroy(cache);
}

static struct kunit_case json_cases[] = {
	KUNIT_CASE(json_bytes),
	KUNIT_CASE(json_random),
	KUNIT_CASE(json_null),
	KUNIT_CASE(json_values),
	KUNIT_CASE(json_content),
	KUNIT_CASE(json_counted),
	KUNIT_CASE(json_comms),
	KUNIT_CASE(json_kinds),
	KUNIT_CASE(json_cache),
	{}
};

static struct kunit_suite json_suite = {
	.name = "kmemleak_json",
	.init = hold_names,
	.exit = let_names_go,
	.test_cases = json_cases,
};

kunit_test_suite(json_suite);
