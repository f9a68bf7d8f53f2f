/* SPDX-License-Identifier: MIT */
/* The lines of the transcript, each by its event; text.c decides which are shown. */
#ifndef OUTPUTS_TEXT_SHOW_H
#define OUTPUTS_TEXT_SHOW_H

#include "proxy/outputs/text_line.h"

#define TEXT_EXCERPT 80u        /* octets of an address or a name that are enough to know it by */

/* text_wire.c: octets as they were on the wire. */
void text_show_command(struct text_line *line, const struct event *event);
/* group: it answers one of several commands, so say which. */
void text_show_reply(struct text_line *line, const struct event *event, bool group);
/*
 * A line of content, or its first octets of whole. goes_on: its end is not known. first: of its
 * stretch, so that it has a time.
 */
void text_show_content(struct text_line *line, const struct event *event, struct view octets, uint64_t whole,
    bool goes_on, bool first);
void text_show_undecoded(struct text_line *line, const struct event *event);

/* text_facts.c: what is said about a session. */
void text_show_open(struct text_line *line, const struct event *event);
void text_show_upstream(struct text_line *line, const struct event *event);
void text_show_auth(struct text_line *line, const struct event *event);
void text_show_tls(struct text_line *line, const struct event *event);
void text_show_message(struct text_line *line, const struct event *event);
/* excerpt: the octets that it is about are not in sight. */
void text_show_finding(struct text_line *line, const struct event *event, bool excerpt);
void text_show_rule(struct text_line *line, const struct event *event);
void text_show_log(struct text_line *line, const struct event *event);
void text_show_close(struct text_line *line, const struct event *event);

#endif
