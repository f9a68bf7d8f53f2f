/* SPDX-License-Identifier: MIT */
/*
 * The client's leg was offered less room than the server has (RFC 1870): who was told a limit is
 * held to it, at MAIL by what is declared, at the end of the content by what came. Apart,
 * because it is the one keyword whose value, and not its presence, must be kept honest.
 */
#include "proxy/sessions/state.h"

/* A number of octets; 0: none, or too large to matter. */
static uint64_t
number_of(struct view digits)
{
	uint64_t number = 0;

	if (digits.len == 0 || digits.len > 19)
		return 0;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.at[i] < '0' || digits.at[i] > '9')
			return 0;
		number = number * 10 + (uint64_t)(digits.at[i] - '0');
	}
	return number;
}

/* The limit that a reply to EHLO names; 0: none (RFC 1870 4). */
static uint64_t
limit_of(const struct smtp_reply *reply)
{
	struct smtp_ehlo_keyword keyword;
	struct view rest;

	if (reply == NULL || reply->code / 100 != 2)
		return 0;
	rest = smtp_ehlo_rest(reply);
	while (smtp_ehlo_next(&rest, &keyword))
		if (keyword.keyword == SMTP_KEYWORD_SIZE)
			return number_of(keyword.params);
	return 0;
}

void
size_offered(struct session *s, const struct smtp_reply *told, const struct smtp_reply *said)
{
	uint64_t limit = limit_of(told), servers = limit_of(said);

	s->size_limit = limit != 0 && (servers == 0 || limit < servers) ? limit : 0;
}

bool
size_refuses_mail(const struct session *s, const struct smtp_command *command)
{
	struct view rest = command->params;
	struct smtp_param param;

	if (s->size_limit == 0 || command->verb != SMTP_MAIL)
		return false;
	while (smtp_param_next(&rest, &param))
		if (view_equal_nocase(param.name, VIEW("SIZE")) && param.value.at != NULL)
			return param.value.len > 19 || number_of(param.value) > s->size_limit;
	return false;
}

bool
size_refuses_chunk(const struct session *s, const struct smtp_command *command)
{
	uint64_t before = s->content != NULL ? s->content->octets : 0;

	return s->size_limit != 0 && command->chunk_last &&
	    (before > s->size_limit || command->chunk > s->size_limit - before);
}

bool
size_refuses_content(const struct session *s)
{
	return s->size_limit != 0 && s->content != NULL && s->content->octets > s->size_limit;
}
