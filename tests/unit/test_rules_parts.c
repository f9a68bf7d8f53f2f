/* SPDX-License-Identifier: MIT */
/* What rules are made of: the hash, the bounded table, addresses, enhanced codes, patterns; rules loaded again. */
#include "proxy/rules/counts.h"
#include "proxy/rules/lexer.h"
#include "proxy/rules/siphash.h"
#include "tests/unit/rules.h"

/* The vectors of its authors: key 00 01 ... 0f, octets 00 01 02 ... */
START_TEST(siphash_is_siphash)
{
	static const uint64_t vectors[] = {0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
	    0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462};
	uint64_t numbers[] = {0x0706050403020100};
	char octets[15];

	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (char)i;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
		ck_assert_uint_eq(siphash(0x0706050403020100, 0x0f0e0d0c0b0a0908, (struct view){octets, i}), vectors[i]);
	ck_assert_uint_eq(siphash(0x0706050403020100, 0x0f0e0d0c0b0a0908, (struct view){octets, 15}), 0xa129ca6149be45e5);
	ck_assert_uint_eq(siphash_numbers(0x0706050403020100, 0x0f0e0d0c0b0a0908, numbers, 1), vectors[8]);
}
END_TEST

/* The table against one that is as plain as can be: keys by age, the oldest gives way. */
START_TEST(the_table_forgets_the_oldest)
{
	enum { KEYS = 100000, ROUNDS = 400000 };
	static uint32_t last_seen[KEYS], order[ROUNDS + 1];     /* when each key was seen last, 0: not there; who was seen when */
	struct counts counts = {.size = 0};
	uint64_t random = 1, forgotten = 0;
	uint32_t now = 0, there = 0, oldest = 1;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct count *count;
		uint64_t key;

		random = random * 6364136223846793005u + 1442695040888963407u;
		key = (random >> 33) % KEYS;
		if ((random >> 20) % 7 == 0) {
			counts_remove(&counts, key);
			there -= last_seen[key] != 0;
			last_seen[key] = 0;
			continue;
		}
		count = counts_take(&counts, key);
		ck_assert_uint_eq(count->key, key);
		ck_assert_int_eq(count->number == 0, last_seen[key] == 0);
		count->number++;
		there += last_seen[key] == 0;
		order[++now] = (uint32_t)key;
		last_seen[key] = now;
		if (there <= COUNTS_MOST)
			continue;
		while (last_seen[order[oldest]] != oldest)
			oldest++;
		last_seen[order[oldest]] = 0;
		there--;
		forgotten++;
	}
	ck_assert_uint_gt(forgotten, 1000);
	ck_assert_uint_eq(counts.forgotten, forgotten);
	for (uint32_t i = 0; i < KEYS; i++)
		ck_assert_int_eq(counts_find(&counts, i) != NULL, last_seen[i] != 0);
	counts_free(&counts);
	ck_assert_ptr_null(counts_find(&counts, 1));
}
END_TEST

static const struct {
	const char *network, *address;
	unsigned    bits;
	bool        in;
} networks[] = {
    {"192.0.2.0", "192.0.2.255", 24, true}, {"192.0.2.0", "192.0.3.0", 24, false},
    {"192.0.2.128", "192.0.2.127", 25, false}, {"192.0.2.128", "192.0.2.129", 25, true},
    {"192.0.2.7", "192.0.2.7", 32, true}, {"192.0.2.7", "192.0.2.6", 32, false},
    {"0.0.0.0", "198.51.100.1", 0, true}, {"0.0.0.0", "2001:db8::1", 0, false},
    {"::", "2001:db8::1", 0, true}, {"::", "192.0.2.1", 0, false},
    {"2001:db8::", "2001:db8:ffff::", 32, true}, {"2001:db8::", "2001:db9::", 32, false},
    {"2001:db8::", "2001:db8:4000::", 33, true}, {"2001:db8::", "2001:db8:8000::", 33, false},
    {"2001:db8::1", "2001:db8::1", 128, true}, {"2001:db8::1", "2001:db8::2", 128, false},
    {"::ffff:192.0.2.0", "192.0.2.9", 24, true},
};

START_TEST(addresses_in_networks)
{
	struct address network, address;

	ck_assert(address_parse(view_of(networks[_i].network), &network));
	ck_assert(address_parse(view_of(networks[_i].address), &address));
	ck_assert_msg(address_in(&address, &network, networks[_i].bits) == networks[_i].in, "%s in %s/%u",
	    networks[_i].address, networks[_i].network, networks[_i].bits);
}
END_TEST

START_TEST(what_is_no_address)
{
	static const char *const none[] = {"", "1", "1.2.3", "1.2.3.256", "1.2.3.4.5", "::1%lo", "[::1]", "1::2::3", "a",
	    "192.0.2.1:25", "00000000000000000000000000000000000000000000000000"};
	struct address address;

	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		ck_assert_msg(!address_parse(view_of(none[i]), &address), "%s", none[i]);
}
END_TEST

START_TEST(enhanced_codes)
{
	static const char *const none[] = {"", "4", "4.3", "4.3.", ".3.2", "44.3.2", "4.3333.2", "4.3.2222", "4.3.2 ", "4.3.2.1",
	    "a.b.c"};
	uint64_t packed, larger;

	ck_assert(enhanced_parse(VIEW("4.30.2"), &packed));
	ck_assert_uint_eq(packed, enhanced_pack(4, 30, 2));
	ck_assert(enhanced_parse(VIEW("5.0.0"), &larger));
	ck_assert_uint_gt(larger, packed);
	ck_assert(enhanced_parse(VIEW("4.999.999"), &packed));
	ck_assert_uint_gt(larger, packed);
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		ck_assert_msg(!enhanced_parse(view_of(none[i]), &packed), "%s", none[i]);
}
END_TEST

/* SIGHUP: a rule of the same name and text goes on with what it had counted; a changed one begins anew. */
START_TEST(rules_loaded_again)
{
	static const char before[] = "rule \"same\" { on NOOP limit 2 log \"same\" }\nrule \"other\" { on NOOP limit 1 log \"1\" }\n"
	    "rule \"tag\" { on RSET tag client \"x\" tag client \"t\" }\nrule \"see\" { on QUIT when session.tag[\"t\"] log \"t\" }";
	static const char after[] = "rule \"other\" { on NOOP limit 1 log \"2\" }\nrule \"same\" { on NOOP limit 2 log \"same\" }\n"
	    "rule \"tag\" { on RSET tag client \"t\" }\nrule \"see\" { on QUIT when session.tag[\"t\"] log \"t\" }";
	struct trial t;
	struct ruleset *rules;
	struct rules_state *state;

	trial_begin(&t, before, 1);
	ck_assert_str_eq(trial_command(&t, "NOOP"), "log same; log 1");
	trial_command(&t, "RSET");
	rules = rules_of(after, sizeof after - 1, NULL);
	state = rules_state_follow(rules, t.state);
	rules_run_clear(&t.run, 5);
	rules_state_free(t.state);
	ruleset_free(t.rules);
	t.rules = rules;
	t.state = state;
	rules_run_init(&t.run, rules, state, 6);
	ck_assert_str_eq(trial_command(&t, "NOOP"), "log 2; log same");
	ck_assert_str_eq(trial_command(&t, "NOOP"), "-");
	ck_assert_str_eq(trial_command(&t, "QUIT"), "log t");
	trial_end(&t);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rules: parts");
	TCase *tcase = tcase_create("hash, table, addresses");

	tcase_add_test(tcase, siphash_is_siphash);
	tcase_add_test(tcase, the_table_forgets_the_oldest);
	tcase_add_loop_test(tcase, addresses_in_networks, 0, (int)(sizeof networks / sizeof *networks));
	tcase_add_test(tcase, what_is_no_address);
	tcase_add_test(tcase, enhanced_codes);
	tcase_add_test(tcase, rules_loaded_again);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
