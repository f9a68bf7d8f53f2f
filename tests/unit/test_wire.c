/* SPDX-License-Identifier: MIT */
/* A session's octets as those get them who keep them: all, in order, and no credential among them. */
#include <check.h>
#include <stdio.h>

#include "proxy/arena.h"
#include "proxy/outputs/buffer.h"
#include "proxy/sessions/rulebook.h"
#include "proxy/sessions/session.h"
#include "tests/unit/edge.h"

static struct arena arena;
static struct rulebook *book;
static struct session *session;
static struct buffer kept[2];           /* by enum smtp_side */
static struct buffer heard[2];          /* octets, by enum smtp_side */
static struct buffer behind[2];         /* octets on the server's leg */
static struct buffer order;             /* everything else, and who spoke, on the client's leg */
static bool live;
static struct buffer told;              /* what events tell of octets that were not decoded */
static uint64_t now;

static void
hear(void *to, const struct wire_news *news)
{
	static const char *const names[] = {[WIRE_OPENED] = "opened", [WIRE_MIDSTREAM] = "midstream", [WIRE_HEARD] = "heard",
	    [WIRE_MISSING] = "missing", [WIRE_SECURED] = "secured", [WIRE_FIN] = "fin", [WIRE_RESET] = "reset",
	    [WIRE_CLOSED] = "closed"};

	(void)to;
	ck_assert_uint_eq(news->session, 42);
	ck_assert_uint_eq(news->time_us, now);
	if (news->leg == SMTP_SERVER) {
		ck_assert(live);
		if (news->type == WIRE_OCTETS)
			buffer_put(&behind[news->from], news->octets);
		return;
	}
	if (news->type == WIRE_OCTETS) {
		ck_assert_uint_gt(news->octets.len, 0);
		buffer_put(&heard[news->from], news->octets);
		buffer_char(&order, "CS"[news->from]);
		if (news->kind != WIRE_SMTP)
			buffer_char(&order, "?tro"[news->kind]);
		return;
	}
	buffer_printf(&order, "[%s", names[news->type]);
	if (news->type == WIRE_MISSING)
		buffer_printf(&order, " %c %llu", "CS"[news->from], (unsigned long long)news->missing);
	if (news->type == WIRE_FIN || news->type == WIRE_RESET)
		buffer_printf(&order, " %c", "CS"[news->from]);
	buffer_char(&order, ']');
}

static void
event(void *to, const struct event *e)
{
	(void)to;
	if (e->type == EVENT_UNDECODED && e->as.undecoded.side == EVENT_CLIENT)
		buffer_put(&told, e->as.undecoded.octets);
	if (e->type == EVENT_FINDING && e->as.finding.side == EVENT_CLIENT && e->as.finding.excerpt.at != NULL)
		buffer_put(&told, e->as.finding.excerpt);
}

static void
begin(const char *rules, bool dry_run, bool show_secrets)
{
	struct session_config config = {.events = {.put = event}, .wire = {hear, NULL}, .source = "test",
	    .show_secrets = show_secrets, .dry_run = dry_run, .max_line = 64, .max_content = 1 << 20, .arena = &arena};
	struct session_ends ends = {.client_text = VIEW("192.0.2.1:40123"), .server = VIEW("192.0.2.25:25"),
	    .listener = VIEW("")};
	char name[] = "/tmp/smtpscope-wire-XXXXXX";
	const char *file = name;
	struct options_list list = {&file, 1}, none = {NULL, 0};
	struct plan plan;

	for (int side = 0; side < 2; side++)
		kept[side].len = heard[side].len = behind[side].len = 0;
	live = !dry_run;
	order.len = told.len = 0;
	now = 1000;
	arena_init(&arena);
	if (rules != NULL) {
		int fd = mkstemp(name);

		ck_assert_int_eq(write(fd, rules, strlen(rules)), (ssize_t)strlen(rules));
		close(fd);
	}
	book = rulebook_load(rules != NULL ? &list : &none, 1, &config, NULL, stderr);
	if (rules != NULL)
		unlink(name);
	ck_assert_ptr_nonnull(book);
	session = session_new(&book->config, 42, &ends, now);
	if (!dry_run)
		session_connect(session, now, &plan);
}

static void
feed(enum smtp_side from, struct view octets)
{
	struct plan plan;
	bool again = true;

	buffer_put(&kept[from], octets);
	while (again) {
		session_feed(session, from, kept[from].at, kept[from].len, now, &plan);
		buffer_drop(&kept[from], plan.used);
		again = plan.again;
		if (plan.other)
			feed(smtp_other_side(from), VIEW_NONE);
	}
}

static void
say(enum smtp_side from, const char *octets)
{
	now++;
	feed(from, view_of(octets));
}

static void
ends(enum smtp_side by, enum close_how how)
{
	struct plan plan;

	now++;
	session_closed(session, by, how, VIEW_NONE, kept[by].at, kept[by].len, now, &plan);
	buffer_drop(&kept[by], plan.used);
	if (plan.other)
		feed(smtp_other_side(by), VIEW_NONE);
}

static void
finish(void)
{
	now++;
	session_end(session, now);
	rulebook_release(book);
	arena_clear(&arena);
	for (int side = 0; side < 2; side++) {
		buffer_char(&heard[side], '\0');
		buffer_char(&behind[side], '\0');
	}
	buffer_char(&order, '\0');
	buffer_char(&told, '\0');
}

/* What client and server say in turn; the client's first. NULL ends it. */
struct talk {
	const char *lines[12];
	const char *client;     /* as it is heard, masked */
};

static const struct talk talks[] = {
    {{"EHLO a\r\n", "250 AUTH PLAIN LOGIN\r\n", "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n", "235 Ok\r\n", "QUIT\r\n", "221 Bye\r\n"},
     "EHLO a\r\nAUTH PLAIN ****************\r\nQUIT\r\n"},
    {{"AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n", "YW5u\r\n", "334 UGFzc3dvcmQ6\r\n", "c2VjcmV0\n", "535 No\r\n", "QUIT\r\n", ""},
     "AUTH LOGIN\r\n****\r\n********\nQUIT\r\n"},
    /* Refused, and the credentials come all the same; until the next known verb. */
    {{"auth login\r\n", "504 No\r\n", "YW5u\r\nc2VjcmV0 x\r\n", "500 What\r\n500 What\r\n", "NOOP\r\nYW5u\r\n", "250 Ok\r\n500 What\r\n"},
     "auth login\r\n****\r\n**********\r\nNOOP\r\nYW5u\r\n"},
    {{"MAIL FROM:<a@example.org> AUTH=ann+40 SIZE=1\r\n", "250 Ok\r\n", "MAIL FROM:<> AUTH=<>\r\n", "503 No\r\n"},
     "MAIL FROM:<a@example.org> AUTH=****** SIZE=1\r\nMAIL FROM:<> AUTH=<>\r\n"},
    /* Longer than --max-line: the start, the rest, and where the one could not be told from the other. */
    {{"AUTH PLAIN YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\r\n", "235 Ok\r\n"},
     "AUTH PLAIN ************************************************************************\r\n"},
    {{"AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", "535 No\r\n"},
     "AUTH LOGIN\r\n**********************************************************************************\r\n"},
    {{"MAIL FROM:<a@example.org>                                             AUTH=ann\r\n", "250 Ok\r\n", "RCPT TO:<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>\r\n", "250 Ok\r\n"},
     "MAIL FROM:<a@example.org>                                       **************\r\n"
     "RCPT TO:<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>\r\n"},
    /* Content is nobody's credential. */
    {{"MAIL FROM:<>\r\n", "250 Ok\r\n", "DATA\r\n", "354 Go\r\n", "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n..\r\n.\r\nBDAT 5\r\nAUTH ", "250 Ok\r\n250 Ok\r\n"},
     "MAIL FROM:<>\r\nDATA\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\n..\r\n.\r\nBDAT 5\r\nAUTH "},
};
#define TALKS (int)(sizeof talks / sizeof *talks)

static void
hold_talk(const struct talk *talk, size_t cut)
{
	say(SMTP_SERVER, "220 mx.example.net\r\n");
	for (int i = 0; i < 12 && talk->lines[i] != NULL; i++) {
		enum smtp_side from = i % 2 == 0 ? SMTP_CLIENT : SMTP_SERVER;
		struct view line = view_of(talk->lines[i]);

		now++;
		while (cut > 0 && line.len > 0) {
			feed(from, view_first(line, cut));
			line = view_from(line, cut);
		}
		feed(from, line);
	}
	ends(SMTP_SERVER, CLOSE_EOF);
	ends(SMTP_CLIENT, CLOSE_EOF);
	finish();
}

START_TEST(credentials_are_masked_wherever_they_are_cut)
{
	for (size_t cut = 0; cut < 20; cut++) {
		begin(NULL, cut % 2 == 0, false);
		hold_talk(&talks[_i], cut);
		ck_assert_str_eq(heard[SMTP_CLIENT].at, talks[_i].client);
		ck_assert_str_eq(behind[SMTP_CLIENT].at, live ? talks[_i].client : "");
		ck_assert_str_eq(behind[SMTP_SERVER].at, live ? heard[SMTP_SERVER].at : "");
	}
}
END_TEST

START_TEST(with_show_secrets_nothing_is)
{
	struct buffer whole[2] = {{NULL, 0, 0}, {NULL, 0, 0}};

	buffer_put(&whole[SMTP_SERVER], VIEW("220 mx.example.net\r\n"));
	for (int i = 0; i < 12 && talks[_i].lines[i] != NULL; i++)
		buffer_put(&whole[i % 2], view_of(talks[_i].lines[i]));
	begin(NULL, true, true);
	hold_talk(&talks[_i], 0);
	for (int side = 0; side < 2; side++) {
		buffer_char(&whole[side], '\0');
		ck_assert_str_eq(heard[side].at, whole[side].at);
		buffer_free(&whole[side]);
	}
}
END_TEST

START_TEST(a_session_in_order)
{
	begin(NULL, _i == 0, false);
	hold_talk(&talks[0], 0);
	ck_assert_str_eq(order.at, live ? "[opened]SCSCSCS[fin S][fin C][fin S][fin C][closed]" :
	    "[opened]SCSCSCS[fin S][fin C][fin S][fin C][fin S][closed]");
}
END_TEST

START_TEST(half_a_line_at_the_end)
{
	static const struct { const char *sent, *heard, *told; } cases[] = {
	    {"AUTH PLAIN AGFu", "AUTH PLAIN ****", "***"},
	    {"NOOP\r\nAUTH", "NOOP\r\nAUTH", "AUTHAUTH"},
	    {"AUTH PLAIN AGFu\r\nbgBz", "AUTH PLAIN ****\r\n****", "***"}};

	begin(NULL, true, false);
	say(SMTP_SERVER, "220 mx.example.net\r\n");
	say(SMTP_CLIENT, cases[_i].sent);
	say(SMTP_SERVER, "504 No\r\n");
	ends(SMTP_CLIENT, CLOSE_EOF);
	ends(SMTP_SERVER, CLOSE_EOF);
	finish();
	ck_assert_str_eq(heard[SMTP_CLIENT].at, cases[_i].heard);
	ck_assert_str_eq(told.at, cases[_i].told);
}
END_TEST

static void
gap(enum smtp_side from, uint64_t missing)
{
	struct plan plan;

	session_gap(session, from, kept[from].at, kept[from].len, missing, now, &plan);
	kept[from].len = 0;
	if (plan.other)
		feed(smtp_other_side(from), VIEW_NONE);
}

START_TEST(behind_a_gap_a_line_may_be_a_secret)
{
	begin(NULL, true, false);
	say(SMTP_SERVER, "220 mx.example.net\r\n");
	say(SMTP_CLIENT, "EHLO exam");
	gap(SMTP_CLIENT, 30);
	say(SMTP_CLIENT, "YW5u\r\nLAIN AGFubgBzZWNyZXQ=\r\nple.org> SIZE=10\r\nQUIT\r\n");
	gap(SMTP_SERVER, 7);
	ends(SMTP_CLIENT, CLOSE_CAPTURE);
	finish();
	ck_assert_str_eq(heard[SMTP_CLIENT].at, "EHLO exam****\r\n*********************\r\nple.org> SIZE=10\r\nQUIT\r\n");
	ck_assert_str_eq(order.at, "[opened]SC[missing C 30]CCCC[missing S 7][closed]");
	ck_assert_ptr_null(strstr(told.at, "YW5u"));
	ck_assert_ptr_null(strstr(told.at, "AGFu"));
	ck_assert_ptr_nonnull(strstr(told.at, "ple.org> SIZE=10"));
}
END_TEST

START_TEST(what_cannot_be_decoded_in_front_of_a_gap_is_missing_too)
{
	begin(NULL, true, false);
	say(SMTP_SERVER, "220 mx.example.net\r\n");
	say(SMTP_CLIENT, "DATA\r\nis it content?");
	gap(SMTP_CLIENT, 10);
	finish();
	ck_assert_str_eq(order.at, "[opened]SC[missing C 24][closed]");
}
END_TEST

START_TEST(tls_is_told_as_it_goes_by)
{
	begin(NULL, true, false);
	say(SMTP_SERVER, "220 mx.example.net\r\n");
	say(SMTP_CLIENT, "starttls\r\n");
	say(SMTP_SERVER, _i == 0 ? "454 No\r\n" : "220 Go\r\n");
	say(SMTP_CLIENT, _i == 0 ? "QUIT\r\n" : _i == 1 ? "\x16\x03\x01 AUTH" : "AUTH PLAIN AGFubg==\r\n");
	say(SMTP_SERVER, _i == 0 ? "221 Bye\r\n" : "\x16\x03");
	finish();
	ck_assert_str_eq(order.at, _i == 0 ? "[opened]SCtSrCS[closed]" : "[opened]SCtStCoSo[closed]");
	/* What is no TLS although it should be may be anything. */
	ck_assert_str_eq(heard[SMTP_CLIENT].at, _i == 0 ? "starttls\r\nQUIT\r\n" :
	    _i == 1 ? "starttls\r\n\x16\x03\x01 AUTH" : "starttls\r\n*******************\r\n");
}
END_TEST

/* The client's leg: what it was told, by whomever; and all that it sent. */
START_TEST(what_rules_say_and_swallow)
{
	begin("rule \"no\" { on RCPT reply 450 4.2.1 \"later\" }\n"
	    "rule \"gone\" { on NOOP drop }\n"
	    "rule \"instead\" { on reply to QUIT set reply.text \"2.0.0 See you\" }\n"
	    "rule \"more\" { on VRFY inject server \"EXPN x\\r\\n\" }\n", false, false);
	say(SMTP_SERVER, "220 mx.example.net\r\n");
	say(SMTP_CLIENT, "RCPT TO:<bob@example.net>\r\nNOOP\r\nVRFY a\r\n");
	say(SMTP_SERVER, "250 to EXPN\r\n252 to VRFY\r\n");
	say(SMTP_CLIENT, "QUIT\r\n");
	say(SMTP_SERVER, "221 2.0.0 Bye\r\n");
	ends(SMTP_SERVER, CLOSE_EOF);
	finish();
	ck_assert_str_eq(heard[SMTP_CLIENT].at, "RCPT TO:<bob@example.net>\r\nNOOP\r\nVRFY a\r\nQUIT\r\n");
	ck_assert_str_eq(heard[SMTP_SERVER].at, "220 mx.example.net\r\n450 4.2.1 later\r\n252 to VRFY\r\n221 2.0.0 See you\r\n");
}
END_TEST

START_TEST(a_reset_is_the_one_that_was_sent)
{
	begin(_i == 2 ? "rule \"r\" { on NOOP reset }" : NULL, false, false);
	say(SMTP_SERVER, "220 mx.example.net\r\n");
	if (_i == 2)
		say(SMTP_CLIENT, "NOOP\r\n");
	else
		ends(_i == 0 ? SMTP_CLIENT : SMTP_SERVER, CLOSE_RESET);
	finish();
	if (_i == 0)
		ck_assert_str_eq(order.at, "[opened]S[reset C][closed]");
	else
		ck_assert_ptr_nonnull(strstr(order.at, "[reset S]"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("wire");
	TCase *t = tcase_create("heard");

	tcase_add_loop_test(t, credentials_are_masked_wherever_they_are_cut, 0, TALKS);
	tcase_add_loop_test(t, with_show_secrets_nothing_is, 0, TALKS);
	tcase_add_loop_test(t, a_session_in_order, 0, 2);
	tcase_add_loop_test(t, half_a_line_at_the_end, 0, 3);
	tcase_add_test(t, behind_a_gap_a_line_may_be_a_secret);
	tcase_add_test(t, what_cannot_be_decoded_in_front_of_a_gap_is_missing_too);
	tcase_add_loop_test(t, tls_is_told_as_it_goes_by, 0, 3);
	tcase_add_test(t, what_rules_say_and_swallow);
	tcase_add_loop_test(t, a_reset_is_the_one_that_was_sent, 0, 3);
	suite_add_tcase(s, t);
	return edge_run(s);
}
