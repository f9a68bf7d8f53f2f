/* SPDX-License-Identifier: MIT */
/*
 * A small world around a dialogue: a client and a server that each read their own octets,
 * and a model of what each of them must see. It knows nothing of the dialogue's queue: a
 * reply says which thing it answers, and the model has two plain lists in the order in
 * which the client spoke.
 */
#ifndef TESTS_UNIT_ORDERING_WORLD_H
#define TESTS_UNIT_ORDERING_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decoders/smtp/registry.h"

/* Octets that grow at their end and are used from their start. */
struct octets {
	char  *at;
	size_t len, room;
};

void octets_add(struct octets *o, const char *at, size_t len);
void octets_use(struct octets *o, size_t n);
void octets_move(struct octets *from, struct octets *to, size_t n);

/* A thing that the client says and that is decoded as one unit, or as one content. */
struct said {
	unsigned       id;              /* from 1; the client's order */
	enum smtp_verb verb;
	bool           is_content, is_auth_line;
	struct octets  text;            /* the line without its end; the content without its dot */
};

/* A thing that the server must get, in this order. Number k is answered by "... k<k>". */
struct server_must {
	unsigned       id;              /* of what it came from; ids from INSERTED on: not the client's */
	enum smtp_verb verb;
	bool           is_content;
	struct octets  text, content;
};
#define INSERTED 1000000u

/* What the client must see, in this order. */
struct client_must {
	unsigned       id;
	enum smtp_verb verb;
	bool           is_content;
	int            replies;         /* still to come; -1: LMTP, a reply for each accepted recipient */
};

#define WORLD_THINGS 400

struct world {
	unsigned seed;
	uint64_t random;
	bool     lmtp;

	/* The client. */
	struct octets client_out, client_in;
	struct said   said[WORLD_THINGS];       /* what it said and what is not decoded yet starts at `decoded` */
	unsigned      said_count, decoded;
	unsigned      last_id;
	unsigned      budget;                   /* commands that it has yet to say */
	unsigned      waits_for;                /* id of the DATA or AUTH whose reply it awaits; 0: none */
	enum smtp_verb waits_verb;
	unsigned      auth_lines;               /* said to one AUTH so far */
	struct octets glued;                    /* sent behind DATA before its reply: content, or commands */
	unsigned      glued_to;                 /* id of that DATA; 0: nothing is */

	/* The server. */
	struct octets server_in, server_out;
	unsigned      server_got;               /* things it has got */
	enum { SERVER_READS_COMMANDS, SERVER_READS_CONTENT, SERVER_READS_CHUNK, SERVER_READS_AUTH } server_state;
	struct octets server_content;
	size_t        chunk_left;
	bool          chunk_last, chunk_answered;
	unsigned      chunk;                    /* its number */
	unsigned      server_accepted;          /* recipients */

	/* The model. */
	struct server_must server_must[WORLD_THINGS];
	unsigned           server_must_count;
	struct client_must client_must[WORLD_THINGS];
	unsigned           client_must_count, client_saw;       /* all before client_saw are answered */
	unsigned           recipients[2][WORLD_THINGS];         /* ids of RCPTs accepted, a column each */
	unsigned           recipient_count[2];
	unsigned           finals[2];                           /* final replies given for the content at hand */
};

void world_init(struct world *w, unsigned seed);
void world_clear(struct world *w);

/* Fails the test and says the seed. */
#define world_check(w, condition, ...) \
	do { \
		if (!(condition)) \
			world_fail((w), #condition, __FILE__, __LINE__, __VA_ARGS__); \
	} while (0)
void world_fail(const struct world *w, const char *condition, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6), noreturn));

unsigned roll(struct world *w, unsigned sides);         /* 0 to sides - 1 */
bool chance(struct world *w, unsigned percent);

/* The client says something, if it has nothing to wait for. */
void client_talks(struct world *w);
/* It reads what has arrived: each reply must be the one that the model has next. */
void client_reads(struct world *w);
/* The client was told this code for a DATA or AUTH (0: it never will be): what follows is decided. */
void client_decided(struct world *w, unsigned id, unsigned code);
/* What the next unit of the client's must be; used once. */
struct said *client_next(struct world *w);

/* The server reads what has arrived: each thing must be the one that the model has next. It may answer. */
void server_reads(struct world *w);
void server_greets(struct world *w);

struct server_must *server_must_get(struct world *w, unsigned id, enum smtp_verb verb, const char *text, size_t len);
struct client_must *client_must_see(struct world *w, unsigned id, enum smtp_verb verb, bool is_content);
struct client_must *client_must_find(struct world *w, unsigned id);

/* A code was said (column 1) or told (column 0) for a command: recipients are counted. */
void world_answered(struct world *w, unsigned column, unsigned id, enum smtp_verb verb, bool is_content,
    unsigned code);
/* Replies that a content is owed in a column. */
unsigned world_finals_owed(const struct world *w, unsigned column);

#endif
