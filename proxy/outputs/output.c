/* SPDX-License-Identifier: MIT */
/*
 * A file that events are written to. What is kept begins with a whole record of which `partial`
 * octets are written already: a write that fails in the middle of one is taken up there, or taken
 * back, so that the file never keeps half a record. While a disk is full, records wait and are
 * tried again; what does not fit into KEPT is dropped whole, and counted.
 */
#include "proxy/outputs/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEPT  (1024u * 1024)    /* octets that wait while writing fails */

struct output {
	enum output_format format;
	char              *path;        /* NULL: standard output */
	int                fd;
	int                colour;      /* as in the options */
	bool               content;     /* as in the options */
	bool               terminal, regular;
	struct block      *kept;        /* never NULL */
	size_t             partial;     /* octets of its first record that are written */
	uint64_t           lost;        /* events */
	atomic_uint_fast64_t dropped;   /* events, for whose sake nobody waited */
	int                failed;      /* errno of the last write; 0: it did not fail */
	bool               said, dead;  /* dead: who reads it has gone */
};

static const char *
name_of(const struct output *output)
{
	return output->path == NULL ? "standard output" : output->path;
}

/* NO_COLOR as no-color.org has it: set and not empty. */
bool
output_wants_colour(const struct output *output)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (output->colour >= 0)
		return output->colour > 0;
	return output->terminal && (no == NULL || *no == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
}

static void
learn_kind(struct output *output)
{
	struct stat status;

	output->regular = fstat(output->fd, &status) == 0 && S_ISREG(status.st_mode);
	output->terminal = isatty(output->fd);
}

static int
open_file(const char *path, FILE *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);

	if (fd < 0)
		fprintf(err, "smtpscope: cannot open %s to write events to: %s%s\n", path, strerror(errno),
		    errno == ENOENT ? " (its directory must exist)" :
		    errno == EISDIR ? " (name a file in it)" : "");
	return fd;
}

static void *
or_abort(void *at)
{
	if (at == NULL)
		abort();
	return at;
}

struct output *
output_open(const struct output_options *options, FILE *err)
{
	bool standard = options->path == NULL || strcmp(options->path, "-") == 0;
	int fd = standard ? STDOUT_FILENO : open_file(options->path, err);
	struct output *output;

	if (fd < 0)
		return NULL;
	output = or_abort(calloc(1, sizeof(*output)));
	output->fd = fd;
	output->path = standard ? NULL : or_abort(strdup(options->path));
	output->format = options->format;
	output->colour = options->colour;
	learn_kind(output);
	output->content = options->content;
	output->kept = block_new();
	return output;
}

enum output_format
output_format(const struct output *output)
{
	return output->format;
}

bool
output_wants_content(const struct output *output)
{
	return output->content && output->format == OUTPUT_TEXT;
}

bool
output_waiting(const struct output *output)
{
	return output->kept->records > 0;
}

bool
output_is_terminal(const struct output *output)
{
	return output->terminal;
}

static void
lose_all(struct output *output)
{
	output->lost += output->kept->records;
	block_empty(output->kept);
	output->partial = 0;
}

/* Lets go of the records that are written whole. */
static void
written(struct output *output, size_t octets)
{
	struct block *kept = output->kept;
	size_t whole = 0, first;

	output->partial += octets;
	if (output->partial == kept->text.len) {
		block_empty(kept);
		output->partial = 0;
		return;
	}
	while (whole < kept->records && kept->ends[whole] <= output->partial)
		whole++;
	if (whole == 0)
		return;
	first = kept->ends[whole - 1];
	buffer_drop(&kept->text, first);
	output->partial -= first;
	kept->records -= whole;
	for (size_t i = 0; i < kept->records; i++)
		kept->ends[i] = kept->ends[i + whole] - first;
}

/* Writes what can be written. Says nothing: events come when nobody could be told. */
static void
write_out(struct output *output)
{
	output->failed = 0;
	while (output->kept->records > 0 && !output->dead) {
		ssize_t octets = write(output->fd, output->kept->text.at + output->partial,
		    output->kept->text.len - output->partial);

		if (octets >= 0) {
			written(output, (size_t)octets);
			continue;
		}
		if (errno == EINTR)
			continue;
		/* A descriptor that somebody else made non-blocking is full: no fault. */
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		output->failed = errno;
		output->dead = errno == EPIPE || errno == EBADF;
		if (output->dead)
			lose_all(output);
		return;
	}
}

/* Puts a block behind what is kept. What is too much is dropped from its end. */
static void
keep(struct output *output, struct block *block)
{
	struct block *kept = output->kept;
	size_t before = kept->text.len, records = 0, octets = 0;

	while (records < block->records && (kept->records + records == 0 || before + block->ends[records] <= KEPT))
		octets = block->ends[records++];
	buffer_put(&kept->text, (struct view){block->text.at, octets});
	kept->text.len = before;
	for (size_t i = 0; i < records; i++) {
		kept->text.len = before + block->ends[i];
		block_end_record(kept);
	}
	output->lost += block->records - records;
	block_empty(block);
}

static void
say_failure(struct output *output, FILE *err)
{
	if (output->failed == 0 || output->said)
		return;
	fprintf(err, "smtpscope: cannot write events to %s: %s%s\n", name_of(output), strerror(output->failed),
	    output->dead ? "" : "; they are kept for a while and tried again");
	output->said = true;
}

void
output_take(struct output *output, struct block *block, FILE *err)
{
	struct block room;

	if (output->dead) {
		output->lost += block->records;
		block_empty(block);
		return;
	}
	if (output->kept->records > 0) {
		keep(output, block);
	} else {
		/* Most of the time nothing is kept: they change places, and nothing is copied. */
		room = *output->kept;
		*output->kept = *block;
		*block = room;
		block_empty(block);
	}
	output_flush(output, err);
}

void
output_drop(struct output *output, size_t events)
{
	output->dropped += events;
}

void
output_flush(struct output *output, FILE *err)
{
	if (!output->dead)
		write_out(output);
	say_failure(output, err);
}

/* Takes half a record off the end of a file, if nobody else has written behind it. */
static void
take_back(struct output *output)
{
	struct stat status;
	off_t end = lseek(output->fd, 0, SEEK_CUR);

	if (output->partial == 0 || !output->regular)
		return;
	if (fstat(output->fd, &status) == 0 && status.st_size == end && end >= (off_t)output->partial &&
	    ftruncate(output->fd, end - (off_t)output->partial) == 0)
		output->partial = 0;
}

void
output_reopen(struct output *output, FILE *err)
{
	int fd;

	output_flush(output, err);
	if (output->path == NULL)
		return;
	fd = open_file(output->path, err);
	if (fd < 0)
		return;
	take_back(output);
	/* What could not be taken back stays half in the old file: here the record is whole. */
	output->partial = 0;
	close(output->fd);
	output->fd = fd;
	output->dead = output->said = false;
	output->failed = 0;
	learn_kind(output);
	output_flush(output, err);
}

uint64_t
output_close(struct output *output, FILE *err)
{
	uint64_t lost;

	if (output == NULL)
		return 0;
	output_flush(output, err);
	if (output->kept->records > 0) {
		take_back(output);
		lose_all(output);
	}
	if (output->path != NULL && close(output->fd) != 0 && errno != EINTR) {
		output->failed = errno;
		say_failure(output, err);
	}
	lost = output->lost;
	if (lost > 0)
		fprintf(err, "smtpscope: %llu event%s could not be written to %s\n", (unsigned long long)lost,
		    lost == 1 ? "" : "s", name_of(output));
	if (output->dropped > 0)
		fprintf(err, "smtpscope: %llu event%s dropped: %s was too slow (--on-output-full drop)\n",
		    (unsigned long long)output->dropped, output->dropped == 1 ? " was" : "s were", name_of(output));
	lost += output->dropped;
	block_free(output->kept);
	free(output->path);
	free(output);
	return lost;
}
