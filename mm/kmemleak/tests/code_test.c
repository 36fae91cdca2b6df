// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of what stands for code that may go.
 *
 * Made-up modules come and go, at addresses where there is no code.
 */
#include <kunit/test.h>
#include <linux/kallsyms.h>
#include <linux/prandom.h>
#include <linux/string.h>

#include "../track/track.h"

#define TEXT	256
#define INIT	128

/* Places where a module can be loaded, and modules there are. */
#define PLACES	12
#define MODULES	20
#define TURNS	2000

static char memory[PLACES][TEXT + INIT];

static struct kml_code code_at(unsigned int place, const char *name, u64 symbols)
{
	unsigned long start = (unsigned long)memory[place];

	return (struct kml_code){ name, symbols, start, TEXT, start + TEXT, INIT };
}

static void go(const struct kml_code *code)
{
	kml_code_remove(code->start);
	kml_code_remove(code->init);
}

static void expect_name(struct kunit *test, unsigned long frame, const char *want)
{
	char name[KSYM_SYMBOL_LEN];

	kml_frame_name(frame, name);
	KUNIT_EXPECT_STREQ(test, name, want);
	/* Once asked for, once remembered. */
	kml_symbol(frame, name);
	KUNIT_EXPECT_STREQ(test, name, want);
	kml_symbol(frame, name);
	KUNIT_EXPECT_STREQ(test, name, want);
}

static void code_of_kernel(struct kunit *test)
{
	unsigned long addr = (unsigned long)kml_track + 4;
	char name[KSYM_SYMBOL_LEN];

	KUNIT_EXPECT_EQ(test, kml_code_pack(addr), addr);
	KUNIT_EXPECT_EQ(test, kml_code_unpack(addr), addr);
	KUNIT_EXPECT_FALSE(test, kml_code_is_packed(addr));
	sprint_symbol(name, addr);
	expect_name(test, addr, name);
}

/* All of it is the same frame. */
static void code_generated(struct kunit *test)
{
	unsigned long frame = kml_code_pack((unsigned long)memory);

	KUNIT_EXPECT_TRUE(test, kml_code_is_packed(frame));
	KUNIT_EXPECT_EQ(test, kml_code_unpack(frame), 0);
	KUNIT_EXPECT_EQ(test, kml_code_pack((unsigned long)&memory[1][7]), frame);
	KUNIT_EXPECT_EQ(test, kml_code_pack((unsigned long)test), frame);
	expect_name(test, frame, "[generated code]");
}

/* Wherever it is loaded, and however often, the frame is the same one. */
static void code_moves(struct kunit *test)
{
	unsigned long first = 0, frame, init, nothing;
	struct kml_code code;
	unsigned int i;

	nothing = kml_code_pack((unsigned long)memory);
	for (i = 0; i < 3 * PLACES; i++) {
		code = code_at(i % PLACES, "kml_moves", 5);
		KUNIT_ASSERT_EQ(test, kml_code_add(&code), 0);
		frame = kml_code_pack(code.start + 0x24);
		init = kml_code_pack(code.init + 0x24);
		if (!first)
			first = frame;
		KUNIT_EXPECT_TRUE(test, kml_code_is_packed(frame));
		KUNIT_EXPECT_EQ(test, frame, first);
		KUNIT_EXPECT_NE(test, frame, init);
		KUNIT_EXPECT_NE(test, frame, nothing);
		KUNIT_EXPECT_EQ(test, kml_code_unpack(frame), code.start + 0x24);
		KUNIT_EXPECT_EQ(test, kml_code_unpack(init), code.init + 0x24);

		/* What only starts the module goes before the rest. */
		kml_code_remove(code.init);
		KUNIT_EXPECT_EQ(test, kml_code_unpack(init), 0);
		KUNIT_EXPECT_EQ(test, kml_code_pack(code.init + 0x24), nothing);
		KUNIT_EXPECT_EQ(test, kml_code_unpack(frame), code.start + 0x24);
		KUNIT_EXPECT_EQ(test, kml_code_pack(code.start + 0x24), frame);
		expect_name(test, init, "0x24 [kml_moves]");

		kml_code_remove(code.start);
		KUNIT_EXPECT_EQ(test, kml_code_unpack(frame), 0);
		KUNIT_EXPECT_EQ(test, kml_code_pack(code.start + 0x24), nothing);
		expect_name(test, frame, "0x24 [kml_moves]");
	}
}

/* Other code of the same name, and the same code of another name, are others. */
static void code_builds(struct kunit *test)
{
	static const struct {
		const char *name;
		u64 symbols;
	} builds[] = {
		{ "kml_build", 1 }, { "kml_build", 2 }, { "kml_build2", 1 },
		{ "kml_build", 1ULL << 32 | 1 },
	};
	unsigned long frames[ARRAY_SIZE(builds)];
	struct kml_code code;
	unsigned int i, j;

	for (i = 0; i < 3 * ARRAY_SIZE(builds); i++) {
		unsigned int build = i % ARRAY_SIZE(builds);
		unsigned long frame;

		/* All at the same place. */
		code = code_at(0, builds[build].name, builds[build].symbols);
		KUNIT_ASSERT_EQ(test, kml_code_add(&code), 0);
		frame = kml_code_pack(code.start + 8);
		if (i == build)
			frames[build] = frame;
		KUNIT_EXPECT_EQ(test, frame, frames[build]);
		for (j = 0; j < build; j++)
			KUNIT_EXPECT_NE(test, frame, frames[j]);
		go(&code);
	}
}

/* What is too far from the start is unknown, and no other place in the code. */
static void code_limits(struct kunit *test)
{
	struct kml_code code = { "kml_limits", 1, PAGE_SIZE, LONG_MAX - PAGE_SIZE };
	unsigned long near, last, far, end = BITS_PER_LONG == 64 ? 1UL << 31 : 1UL << 23;

	KUNIT_ASSERT_EQ(test, kml_code_add(&code), 0);
	near = kml_code_pack(code.start);
	last = kml_code_pack(code.start + end - 1);
	far = kml_code_pack(code.start + end);
	KUNIT_EXPECT_EQ(test, kml_code_unpack(near), code.start);
	KUNIT_EXPECT_EQ(test, kml_code_unpack(last), code.start + end - 1);
	KUNIT_EXPECT_EQ(test, kml_code_unpack(far), 0);
	KUNIT_EXPECT_EQ(test, kml_code_pack(code.start + end + 4), far);
	KUNIT_EXPECT_NE(test, far, near);
	go(&code);
	expect_name(test, near, "0x0 [kml_limits]");
	expect_name(test, far, "[unknown code]");
}

/* Many at many places: what is looked up is what is there. */
static void code_many(struct kunit *test)
{
	static unsigned long frames[MODULES][2];
	int loaded[PLACES];
	struct rnd_state rnd;
	unsigned int i, part, place, wrong = 0;
	char name[16];

	prandom_seed_state(&rnd, 4713);
	memset(loaded, -1, sizeof(loaded));
	memset(frames, 0, sizeof(frames));
	for (i = 0; i < TURNS; i++) {
		u32 bits = prandom_u32_state(&rnd);
		unsigned int module = (bits >> 8) % MODULES;
		struct kml_code code;

		place = bits % PLACES;
		snprintf(name, sizeof(name), "kml_many%u", module);
		code = code_at(place, name, module);
		if (loaded[place] >= 0) {
			go(&code);
			loaded[place] = -1;
		} else {
			for (part = 0; part < PLACES; part++) {
				if (loaded[part] == (int)module)
					break;
			}
			if (part < PLACES)
				continue;
			KUNIT_ASSERT_EQ(test, kml_code_add(&code), 0);
			loaded[place] = module;
		}
		for (place = 0; place < PLACES; place++) {
			for (part = 0; part < 2; part++) {
				unsigned long addr, frame, *want;

				addr = (unsigned long)memory[place] + part * TEXT + 16;
				frame = kml_code_pack(addr);
				if (loaded[place] < 0) {
					wrong += kml_code_unpack(frame) != 0;
					continue;
				}
				want = &frames[loaded[place]][part];
				if (!*want)
					*want = frame;
				wrong += frame != *want ||
					 kml_code_unpack(frame) != addr;
			}
		}
	}
	for (place = 0; place < PLACES; place++) {
		struct kml_code code = code_at(place, "", 0);

		go(&code);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static int code_test_init(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_MODULES) || BITS_PER_LONG < 64)
		kunit_skip(test, "no code comes and goes, or little of it");
	return 0;
}

static struct kunit_case code_cases[] = {
	KUNIT_CASE(code_of_kernel),
	KUNIT_CASE(code_generated),
	KUNIT_CASE(code_moves),
	KUNIT_CASE(code_builds),
	KUNIT_CASE(code_limits),
	KUNIT_CASE(code_many),
	{}
};

static struct kunit_suite code_suite = {
	.name = "kmemleak_code",
	.init = code_test_init,
	.test_cases = code_cases,
};

kunit_test_suite(code_suite);
