/* SPDX-License-Identifier: MIT */
/* How often rules act: skip, every, limit, their scopes and windows; chance; expect; tags. */
#include "tests/unit/rules.h"

/* On which of so many matches (one command after the other, a second apart) a rule acts. */
static const struct {
	const char *doses;
	const char *acts;       /* a letter a match: x it acts, . it does not */
} one_session[] = {
    {"", "xxxx"},
    {"limit 2", "xx..."},
    {"limit 1 per session", "x..."},
    {"limit 0", "..."},
    {"skip 2", "..xxx"},
    {"skip 0", "xx"},
    {"every 3", "..x..x..x."},
    {"every 1", "xx"},
    {"skip 2 every 3", "....x..x..x"},
    {"every 3 skip 2", "....x..x..x"},          /* the order in the file does not matter */
    {"every 2 every 2", "...x...x"},
    {"skip 1 limit 1", ".x..."},
    {"every 2 limit 2", ".x.x...."},
    {"limit 3 limit 2 per session", "xx.."},
    {"chance 100%", "xxx"},
    {"chance 0%", "..."},
    {"chance 0% limit 1", "..."},
    {"limit 2 within 3s", "xx.xx.xx."},         /* matches are one second apart */
    {"skip 2 within 4s", "..xx..xx..xx"},
    {"every 2 within 3s", ".x..x..x."},
    {"limit 1 within 1h per sender", "x..."},
    {"limit 1 per client", "x.."},
    {"limit 1 per recipient", "x.."},
    {"limit 1 per transaction", "x.."},
};

START_TEST(in_one_session)
{
	struct trial t;
	char text[256], acted[64] = "";

	snprintf(text, sizeof text, "rule \"r\" { on command %s log \"x\" }", one_session[_i].doses);
	trial_begin(&t, text, 7);
	for (size_t i = 0; i < strlen(one_session[_i].acts); i++) {
		strcat(acted, strcmp(trial_command(&t, "RCPT TO:<bob@example.net>"), "log x") == 0 ? "x" : ".");
		t.facts.time_us += 1000000;
	}
	ck_assert_msg(strcmp(acted, one_session[_i].acts) == 0, "%s: %s, not %s", one_session[_i].doses, acted,
	    one_session[_i].acts);
	trial_end(&t);
}
END_TEST

/* A window is a window, whatever is counted in it and for whom; matches are one second apart. */
START_TEST(windows_in_every_scope)
{
	static const char *const scopes[] = {"rule", "client", "session", "transaction", "sender", "recipient"};
	static const struct { const char *dose, *acts; } doses[] = {
	    {"limit 1", "x..x..x"}, {"limit 2", "xx.xx.x"}, {"skip 1", ".xx.xx."}, {"every 2", ".x..x.."}};

	for (size_t dose = 0; dose < sizeof doses / sizeof *doses; dose++) {
		struct trial t;
		char text[128], acted[16] = "";

		snprintf(text, sizeof text, "rule \"r\" { on RCPT %s within 3s per %s log \"x\" }", doses[dose].dose, scopes[_i]);
		trial_begin(&t, text, 7);
		for (size_t i = 0; i < strlen(doses[dose].acts); i++) {
			strcat(acted, strcmp(trial_command(&t, "RCPT TO:<bob@example.net>"), "log x") == 0 ? "x" : ".");
			t.facts.time_us += 1000000;
		}
		ck_assert_msg(strcmp(acted, doses[dose].acts) == 0, "%s: %s, not %s", text, acted, doses[dose].acts);
		trial_end(&t);
	}
}
END_TEST

static void
new_session(struct trial *t, uint64_t number)
{
	rules_run_clear(&t->run, number);
	rules_run_init(&t->run, t->rules, t->state, number);
}

/* A limit of one, by whom it counts: what is told apart, and what is not. */
START_TEST(by_scope)
{
	static const struct {
		const char *scope;
		bool        by_session, by_transaction, by_client, by_sender, by_recipient;
	} scopes[] = {
		{"rule", false, false, false, false, false}, {"session", true, false, false, false, false},
		{"transaction", true, true, false, false, false}, {"client", false, false, true, false, false},
		{"sender", false, false, false, true, false}, {"recipient", false, false, false, false, true},
	};
	struct trial t;
	char text[128];

	snprintf(text, sizeof text, "rule \"r\" { on RCPT limit 1 per %s log \"x\" }", scopes[_i].scope);
	trial_begin(&t, text, 7);
	ck_assert_str_eq(trial_command(&t, "RCPT TO:<bob@example.net>"), "log x");
	ck_assert_str_eq(trial_command(&t, "RCPT TO:<BOB@example.net>"), "-");
	ck_assert_str_eq(trial_command(&t, "RCPT TO:<carol@example.net>"), scopes[_i].by_recipient ? "log x" : "-");
	t.run.transaction++;
	ck_assert_str_eq(trial_command(&t, "RCPT TO:<bob@example.net>"), scopes[_i].by_transaction ? "log x" : "-");
	ck_assert_str_eq(trial_command(&t, "RCPT TO:<bob@example.net>"), "-");
	t.facts.sender = VIEW("other@example.org");
	ck_assert_str_eq(trial_command(&t, "RCPT TO:<bob@example.net>"), scopes[_i].by_sender ? "log x" : "-");
	t.facts.sender = VIEW("Other@Example.org");
	ck_assert_str_eq(trial_command(&t, "RCPT TO:<bob@example.net>"), "-");
	t.facts.sender = VIEW("");
	ck_assert_str_eq(trial_command(&t, "RCPT TO:<bob@example.net>"), scopes[_i].by_sender ? "log x" : "-");
	t.facts.sender = VIEW_NONE;
	ck_assert_str_eq(trial_command(&t, "RCPT TO:<bob@example.net>"), scopes[_i].by_sender ? "log x" : "-");
	inet_pton(AF_INET, "192.0.2.8", &t.client.sin_addr);
	ck_assert_str_eq(trial_command(&t, "RCPT TO:<bob@example.net>"), scopes[_i].by_client ? "log x" : "-");
	t.client.sin_port = htons(1);
	ck_assert_str_eq(trial_command(&t, "RCPT TO:<bob@example.net>"), "-");
	new_session(&t, 6);
	ck_assert_str_eq(trial_command(&t, "RCPT TO:<bob@example.net>"), scopes[_i].by_session ? "log x" : "-");
	trial_end(&t);
}
END_TEST

/* An IPv4 client is the same whichever family its socket has. */
START_TEST(one_client_over_two_families)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct trial t;

	trial_begin(&t, "rule \"r\" { on command limit 1 per client log \"x\" }\n"
	    "rule \"n\" { on command when session.client in 192.0.2.0/24 log \"n\" }", 7);
	inet_pton(AF_INET6, "::ffff:192.0.2.7", &six.sin6_addr);
	ck_assert_str_eq(trial_command(&t, "NOOP"), "log x; log n");
	t.facts.client = (const struct sockaddr *)&six;
	ck_assert_str_eq(trial_command(&t, "NOOP"), "log n");
	inet_pton(AF_INET6, "2001:db8::7", &six.sin6_addr);
	ck_assert_str_eq(trial_command(&t, "NOOP"), "log x");
	t.facts.client = NULL;
	ck_assert_str_eq(trial_command(&t, "NOOP"), "log x");
	ck_assert_str_eq(trial_command(&t, "NOOP"), "-");
	trial_end(&t);
}
END_TEST

START_TEST(content_counts_by_its_recipients)
{
	struct trial t;

	trial_begin(&t, "rule \"r\" { on CONTENT-END limit 1 per recipient log \"x\" }", 7);
	ck_assert_str_eq(trial_place(&t, RULES_AT_CONTENT_END), "log x");
	ck_assert_str_eq(trial_place(&t, RULES_AT_CONTENT_END), "-");
	t.recipients[1] = VIEW("dave@example.com");
	ck_assert_str_eq(trial_place(&t, RULES_AT_CONTENT_END), "log x");
	trial_end(&t);
}
END_TEST

/* 65,536 clients are remembered; then the one that was not seen longest is forgotten. */
START_TEST(keys_are_bounded)
{
	struct trial t;
	uint32_t last = 65536;

	trial_begin(&t, "rule \"r\" { on connect limit 1 per client log \"x\" }", 7);
	for (uint32_t i = 0; i <= last; i++) {
		t.client.sin_addr.s_addr = htonl(0x0a000000 + i);
		ck_assert_str_eq(trial_place(&t, RULES_AT_CONNECT), "log x");
		arena_empty(&t.arena);
		if (i == 65535) {       /* the first is seen again: now the second is the oldest */
			t.client.sin_addr.s_addr = htonl(0x0a000000);
			ck_assert_str_eq(trial_place(&t, RULES_AT_CONNECT), "-");
		}
	}
	t.client.sin_addr.s_addr = htonl(0x0a000000);
	ck_assert_str_eq(trial_place(&t, RULES_AT_CONNECT), "-");
	t.client.sin_addr.s_addr = htonl(0x0a000000 + last);
	ck_assert_str_eq(trial_place(&t, RULES_AT_CONNECT), "-");
	t.client.sin_addr.s_addr = htonl(0x0a000001);
	ck_assert_str_eq(trial_place(&t, RULES_AT_CONNECT), "log x");
	trial_end(&t);
}
END_TEST

/* One session of five commands; a bit for each on which the rule acted. */
static unsigned
session_of_five(struct trial *t, uint64_t number, const char *helo)
{
	static const char *const lines[] = {"MAIL FROM:<ann@example.org>", "RCPT TO:<bob@example.net>", "DATA", "QUIT"};
	unsigned acted = 0;

	new_session(t, number);
	t->facts.number = number;
	for (unsigned i = 0; i < 5; i++) {
		const char *line = i == 0 ? helo : lines[i - 1];

		rules_run_heard(&t->run, view_of(line));
		if (strncmp(trial_command(t, line), "log", 3) == 0)
			acted |= 1u << i;
		arena_empty(&t->arena);
	}
	return acted;
}

#define CHANCE "rule \"r\" { on command chance 30% log \"x\" }"

START_TEST(the_same_seed_the_same_faults)
{
	struct trial one, other, third;
	unsigned different = 0;

	trial_begin(&one, CHANCE, 42);
	trial_begin(&other, CHANCE, 42);
	trial_begin(&third, CHANCE, 43);
	other.facts.time_us += 12345;
	inet_pton(AF_INET, "198.51.100.1", &other.client.sin_addr);
	for (unsigned i = 0; i < 100; i++) {
		/* Session numbers and times do not enter. */
		unsigned a = session_of_five(&one, i + 1, "EHLO client.example.org");

		ck_assert_uint_eq(a, session_of_five(&other, 1000 - i, "EHLO client.example.org"));
		different += a != session_of_five(&third, i + 1, "EHLO client.example.org");
	}
	ck_assert_uint_gt(different, 30);
	trial_end(&one);
	trial_end(&other);
	trial_end(&third);
}
END_TEST

START_TEST(equal_sessions_still_differ)
{
	struct trial t;
	unsigned first, different = 0;

	trial_begin(&t, CHANCE, 42);
	first = session_of_five(&t, 1, "EHLO client.example.org");
	for (uint64_t i = 2; i < 50; i++)
		different += session_of_five(&t, i, "EHLO client.example.org") != first;
	ck_assert_uint_gt(different, 20);
	trial_end(&t);
}
END_TEST

/* What runs beside a session does not change its faults. */
START_TEST(sessions_beside_do_not_matter)
{
	struct trial alone, crowd;

	trial_begin(&alone, CHANCE, 42);
	trial_begin(&crowd, CHANCE, 42);
	for (unsigned i = 0; i < 50; i++) {
		char other[64];

		snprintf(other, sizeof other, "EHLO client%u.example.org", i);
		session_of_five(&crowd, 100 + i, other);
		ck_assert_uint_eq(session_of_five(&alone, i + 1, "EHLO client.example.org"),
		    session_of_five(&crowd, i + 1, "EHLO client.example.org"));
	}
	trial_end(&alone);
	trial_end(&crowd);
}
END_TEST

/* In the long run a chance is what it says; and the throw is told. */
START_TEST(a_chance_is_what_it_says)
{
	struct trial t;
	unsigned acted = 0;
	char line[32];

	trial_begin(&t, "rule \"r\" { on command chance 10% log \"x\" }", 1);
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(line, sizeof line, "NOOP %u", i);
		rules_run_heard(&t.run, view_of(line));
		if (strcmp(trial_command(&t, line), "log x") == 0) {
			acted++;
			ck_assert(t.verdict.steps[0].thrown);
			ck_assert_double_ge(t.verdict.steps[0].throw, 0);
			ck_assert_double_lt(t.verdict.steps[0].throw, 10);
		}
		arena_empty(&t.arena);
	}
	ck_assert_uint_gt(acted, 900);
	ck_assert_uint_lt(acted, 1100);
	trial_end(&t);
}
END_TEST

/* Two rules, or two names, throw apart. */
START_TEST(rules_throw_apart)
{
	struct trial t;
	unsigned both = 0, either = 0;
	char line[32];

	trial_begin(&t, "rule \"a\" { on command chance 50% log \"a\" }\nrule \"b\" { on command chance 50% log \"b\" }", 1);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(line, sizeof line, "NOOP %u", i);
		rules_run_heard(&t.run, view_of(line));
		trial_command(&t, line);
		both += strcmp(t.said, "log a; log b") == 0;
		either += t.said[0] != '-';
		arena_empty(&t.arena);
	}
	ck_assert_uint_gt(both, 190);
	ck_assert_uint_lt(both, 310);
	ck_assert_uint_gt(either, 690);
	ck_assert_uint_lt(either, 810);
	trial_end(&t);
}
END_TEST

START_TEST(a_delay_of_a_range)
{
	struct trial one, other;
	uint64_t least = UINT64_MAX, most = 0, first = 0, same = 0;

	trial_begin(&one, "rule \"r\" { on command delay 1s..2s delay 1s..2s }", 9);
	trial_begin(&other, "rule \"r\" { on command delay 1s..2s delay 1s..2s }", 9);
	for (unsigned i = 0; i < 500; i++) {
		uint64_t delay;

		trial_command(&one, "NOOP");
		trial_command(&other, "NOOP");
		delay = one.verdict.steps[0].delay_us;
		ck_assert_uint_eq(delay, other.verdict.steps[0].delay_us);
		ck_assert_uint_ge(delay, 1000000);
		ck_assert_uint_le(delay, 2000000);
		same += delay == one.verdict.steps[1].delay_us || (i > 0 && delay == first);
		least = delay < least ? delay : least;
		most = delay > most ? delay : most;
		first = i == 0 ? delay : first;
	}
	ck_assert_uint_lt(least, 1020000);
	ck_assert_uint_gt(most, 1980000);
	ck_assert_uint_lt(same, 5);
	trial_end(&one);
	trial_end(&other);
}
END_TEST

static const struct {
	const char *expect;
	unsigned    matches;
	bool        met;
	const char *words;
} expectations[] = {
    {"at least 2", 1, false, "at least 2"}, {"at least 2", 2, true, "at least 2"}, {"at least 2", 3, true, "at least 2"},
    {"at most 1", 0, true, "at most 1"}, {"at most 1", 1, true, "at most 1"}, {"at most 1", 2, false, "at most 1"},
    {"exactly 2", 1, false, "exactly 2"}, {"exactly 2", 2, true, "exactly 2"}, {"exactly 2", 3, false, "exactly 2"},
};

static unsigned
bits_that_differ(struct view one, struct view other)
{
	unsigned bits = 0;

	ck_assert_uint_eq(one.len, other.len);
	for (size_t i = 0; i < one.len; i++)
		bits += (unsigned)__builtin_popcount((unsigned char)(one.at[i] ^ other.at[i]));
	return bits;
}

/* So many bits, each once; no line end is touched, none is made, and the seed says which. */
START_TEST(what_corrupt_flips)
{
	static const unsigned counts[] = {1, 2, 7, 40, 1000};
	struct view line = VIEW("NOOP \x0b\x0c\x1d LMNOJ*\r\n");
	struct trial t, same;
	char text[80];

	snprintf(text, sizeof text, "rule \"r\" { on NOOP corrupt %u }", counts[_i]);
	trial_begin(&t, text, 7);
	trial_begin(&same, text, 7);
	for (int i = 0; i < 50; i++) {
		struct view now;
		unsigned bits;

		trial_command(&t, "NOOP \x0b\x0c\x1d LMNOJ*");
		trial_command(&same, "NOOP \x0b\x0c\x1d LMNOJ*");
		now = t.verdict.octets;
		ck_assert(view_equal(now, same.verdict.octets));
		ck_assert_int_eq(memcmp(now.at + now.len - 2, "\r\n", 2), 0);
		bits = bits_that_differ(line, now);
		ck_assert_uint_le(bits, counts[_i]);
		/* Of 15 octets of 8 bits those are left out of which a CR or LF would come. */
		ck_assert_uint_ge(bits, counts[_i] < 40 ? counts[_i] : 40);
		for (size_t at = 0; at + 2 < now.len; at++)
			ck_assert(now.at[at] != '\r' && now.at[at] != '\n');
	}
	trial_end(&same);
	trial_end(&t);
}
END_TEST

START_TEST(what_is_expected)
{
	struct rules_count count;
	struct trial t;
	char text[128];

	/* The limit does not matter: matches are counted before doses. */
	snprintf(text, sizeof text, "rule \"other\" { on RSET drop }\nrule \"r\" {\non NOOP limit 1 expect %s log \"x\" }",
	    expectations[_i].expect);
	trial_begin(&t, text, 1);
	for (unsigned i = 0; i < expectations[_i].matches; i++)
		trial_command(&t, "NOOP");
	rules_state_count(t.state, 1, &count);
	ck_assert_str_eq(count.rule, "r");
	ck_assert_str_eq(count.at, "t.rules:2");
	ck_assert(count.expected);
	ck_assert_int_eq(count.met, expectations[_i].met);
	ck_assert_str_eq(count.expectation, expectations[_i].words);
	ck_assert_uint_eq(count.matched, expectations[_i].matches);
	ck_assert_uint_eq(count.acted, expectations[_i].matches > 0);
	ck_assert_uint_eq(count.skipped, expectations[_i].matches > 1 ? expectations[_i].matches - 1 : 0);
	rules_state_count(t.state, 0, &count);
	ck_assert(!count.expected && count.met && count.matched == 0);
	trial_end(&t);
}
END_TEST

#define TAGGED(words) "rule \"set\" { on RSET tag " words " }\nrule \"un\" { on QUIT untag \"t\" }\n" \
	"rule \"see\" { on NOOP when session.tag[\"t\"] log \"t\" }"

START_TEST(tags_of_a_session)
{
	struct trial t;

	trial_begin(&t, TAGGED("\"t\""), 1);
	ck_assert_str_eq(trial_command(&t, "NOOP"), "-");
	trial_command(&t, "RSET");
	ck_assert_str_eq(trial_command(&t, "NOOP"), "log t");
	t.facts.time_us += UINT64_C(1000000) * 3600 * 24 * 365;
	ck_assert_str_eq(trial_command(&t, "NOOP"), "log t");
	trial_command(&t, "QUIT");
	ck_assert_str_eq(trial_command(&t, "NOOP"), "-");
	trial_command(&t, "RSET");
	new_session(&t, 6);
	ck_assert_str_eq(trial_command(&t, "NOOP"), "-");
	trial_end(&t);
}
END_TEST

START_TEST(tags_of_a_client)
{
	struct trial t;

	trial_begin(&t, TAGGED("client \"t\" for 10s"), 1);
	trial_command(&t, "RSET");
	new_session(&t, 6);
	ck_assert_str_eq(trial_command(&t, "NOOP"), "log t");
	inet_pton(AF_INET, "192.0.2.8", &t.client.sin_addr);
	ck_assert_str_eq(trial_command(&t, "NOOP"), "-");
	inet_pton(AF_INET, "192.0.2.7", &t.client.sin_addr);
	t.facts.time_us += 9999999;
	ck_assert_str_eq(trial_command(&t, "NOOP"), "log t");
	t.facts.time_us += 1;
	ck_assert_str_eq(trial_command(&t, "NOOP"), "-");
	trial_command(&t, "RSET");
	ck_assert_str_eq(trial_command(&t, "NOOP"), "log t");
	trial_command(&t, "QUIT");
	ck_assert_str_eq(trial_command(&t, "NOOP"), "-");
	trial_end(&t);
}
END_TEST

START_TEST(tags_for_a_time)
{
	struct trial t;

	trial_begin(&t, TAGGED("session \"t\" for 1m"), 1);
	trial_command(&t, "RSET");
	t.facts.time_us += 59999999;
	ck_assert_str_eq(trial_command(&t, "NOOP"), "log t");
	t.facts.time_us += 1;
	ck_assert_str_eq(trial_command(&t, "NOOP"), "-");
	trial_end(&t);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rules: doses");
	TCase *tcase = tcase_create("doses, chance, tags");

	tcase_add_loop_test(tcase, in_one_session, 0, (int)(sizeof one_session / sizeof *one_session));
	tcase_add_loop_test(tcase, windows_in_every_scope, 0, 6);
	tcase_add_loop_test(tcase, what_corrupt_flips, 0, 5);
	tcase_add_loop_test(tcase, by_scope, 0, 6);
	tcase_add_test(tcase, one_client_over_two_families);
	tcase_add_test(tcase, content_counts_by_its_recipients);
	tcase_add_test(tcase, keys_are_bounded);
	tcase_add_test(tcase, the_same_seed_the_same_faults);
	tcase_add_test(tcase, equal_sessions_still_differ);
	tcase_add_test(tcase, sessions_beside_do_not_matter);
	tcase_add_test(tcase, a_chance_is_what_it_says);
	tcase_add_test(tcase, rules_throw_apart);
	tcase_add_test(tcase, a_delay_of_a_range);
	tcase_add_loop_test(tcase, what_is_expected, 0, (int)(sizeof expectations / sizeof *expectations));
	tcase_add_test(tcase, tags_of_a_session);
	tcase_add_test(tcase, tags_of_a_client);
	tcase_add_test(tcase, tags_for_a_time);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
