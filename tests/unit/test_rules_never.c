/* SPDX-License-Identifier: MIT */
/*
 * What is said of conditions that can never hold is so: random conditions, and all the facts that
 * they can tell apart. Where one of these meets a condition, nothing was said about it.
 */
#include "tests/unit/rules.h"

#define CONDITIONS 1200
#define DEEP       3
#define COUNT(a)   (sizeof(a) / sizeof(a)[0])

static const char *const tests[] = {
    "transaction.recipients == 1", "transaction.recipients < 1", "transaction.recipients > 1",
    "transaction.recipients in 2..3", "transaction.recipients", "transaction.recipients != 2",
    "transaction.recipients in {1, 4..5}", "session.commands <= 2", "session.commands >= 3", "session.commands == 0",
    "session.tls", "session.tls == false", "session.tls == true", "session.tag[\"a\"]", "session.tag[\"b\"]",
    "finding[\"line.nul\"] > 0", "finding[\"line.nul\"] == 0", "finding[\"line.bare-lf\"]",
    "sender == \"\"", "sender == \"ann@example.org\"", "sender != \"ANN@example.org\"", "sender",
    "sender in {\"bob@example.org\", \"\"}", "sender.domain == \"example.org\"", "sender ~ /ann/", "sender ~ \"b\"",
    "recipient == \"Bob@example.net\"", "recipient != \"bob@example.net\"", "recipient.domain == \"example.com\"",
    "verb == \"rcpt\"", "verb != \"RCPT\"", "verb in {\"MAIL\", \"RCPT\"}", "verb", "verb ~ /C/",
    "session.client == 192.0.2.7", "session.client in 192.0.2.0/29", "session.client in ::/0",
    "session.client != 192.0.2.9", "session.client in 192.0.2.8..192.0.2.20", "session.client ~ /7$/",
    "session.user", "session.user == \"ann\"", "session.helo != \"a\"", "session.client.port > 65535",
    "session.client.port == 65535", "session.number == 0",
};

static const char *const recipients[] = {"RCPT TO:<bob@example.net>\r\n", "RCPT TO:<carol@example.com>\r\n", "rcpt\r\n"};
static const char *const senders[] = {NULL, "", "ann@example.org", "bob@example.org", "bob@example.com"};
static const char *const clients[] = {"192.0.2.7", "192.0.2.9", "2001:db8::7"};

static uint64_t state = 0x2545f4914f6cdd1du;

static size_t
random_below(size_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (size_t)(state % limit);
}

static void
condition_make(FILE *out, unsigned depth)
{
	size_t shape = depth == 0 ? 0 : random_below(6);

	if (shape == 1)
		fputs("not ", out);
	if (shape <= 1 && (shape == 0 || random_below(2) == 0)) {
		fputs(tests[random_below(COUNT(tests))], out);
		return;
	}
	fputc('(', out);
	condition_make(out, depth - 1);
	for (size_t more = random_below(3); more > 0; more--) {
		fputs(shape < 5 ? " and " : " or ", out);
		condition_make(out, depth - 1);
	}
	fputc(')', out);
}

static void
facts_set(struct trial *t, struct sockaddr_in6 *six)
{
	const char *sender = senders[random_below(COUNT(senders))], *client = clients[random_below(COUNT(clients))];

	t->facts.commands = 1 + random_below(4);
	t->facts.transaction_recipients = 1 + random_below(5);
	t->facts.tls = random_below(2) == 0;
	t->facts.sender = sender == NULL ? VIEW_NONE : view_of(sender);
	t->facts.user = random_below(2) == 0 ? VIEW_NONE : VIEW("ann");
	t->facts.helo = random_below(2) == 0 ? VIEW_NONE : VIEW("a");
	t->facts.client_port = random_below(2) == 0 ? 65535 : 1;
	t->facts.number = 1 + random_below(3);
	t->facts.client_text = view_of(client);
	t->facts.client = (const struct sockaddr *)&t->client;
	if (inet_pton(AF_INET, client, &t->client.sin_addr) != 1) {
		six->sin6_family = AF_INET6;
		inet_pton(AF_INET6, client, &six->sin6_addr);
		t->facts.client = (const struct sockaddr *)six;
	}
	for (size_t i = 0; i < FINDING_COUNT; i++)
		t->findings[i] = (uint32_t)random_below(2);
}

/* Whether some facts meet the condition; tags are set by rules before it. */
static bool
is_met(const char *condition)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct sockaddr_in6 six = {0};
	bool met = false;
	struct trial t;

	fprintf(out, "rule \"a\" { on RCPT every 2 tag \"a\" } rule \"b\" { on RCPT every 3 untag \"a\" }\n"
	    "rule \"c\" { on RCPT every 3 tag \"b\" } rule \"d\" { on RCPT every 5 untag \"b\" }\n"
	    "rule \"r\" { on RCPT when %s log \"x\" }\n", condition);
	fclose(out);
	trial_begin(&t, text, 1);
	for (int run = 0; run < 300 && !met; run++) {
		const char *line = recipients[random_below(COUNT(recipients))];
		struct rules_count count;

		facts_set(&t, &six);
		t.facts.place = RULES_AT_COMMAND;
		t.facts.recipient_count = 0;
		trial_judge(&t, view_of(line));
		rules_state_count(t.state, 4, &count);
		met = count.matched > 0;
	}
	trial_end(&t);
	free(text);
	return met;
}

START_TEST(what_is_met_is_not_said_to_be_impossible)
{
	unsigned told_of = 0, unmet = 0;

	for (int i = 0; i < CONDITIONS; i++) {
		char *condition = NULL, *told, *text;
		size_t size;
		FILE *out = open_memstream(&condition, &size);
		bool said;

		condition_make(out, DEEP);
		fclose(out);
		ck_assert_int_gt(asprintf(&text, "rule \"r\" { on RCPT when %s log \"x\" tag \"a\" tag \"b\" }", condition), 0);
		ruleset_free(rules_of(text, strlen(text), &told));
		said = strstr(told, "never matches") != NULL;
		if (said)
			ck_assert_msg(!is_met(condition), "%s\nis met, and this was said:\n%s", condition, told);
		else
			unmet += !is_met(condition);
		told_of += said;
		free(told);
		free(text);
		free(condition);
	}
	/* Enough of both kinds; and few that are impossible in a way that was not seen (or are only rare). */
	ck_assert_uint_gt(told_of, CONDITIONS / 20);
	ck_assert_uint_lt(unmet, CONDITIONS / 10);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rules: never");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(all, 300);
	tcase_add_test(all, what_is_met_is_not_said_to_be_impossible);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
