/* SPDX-License-Identifier: MIT */
/*
 * libpcap makes the records and stdio keeps them, in a buffer that has room for all that comes
 * between two flushes: so a write fails here, where it can be seen, and not inside libpcap.
 */
#include "proxy/outputs/pcap_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SNAPLEN 65535
#define WAITING (64u * 1024)    /* octets that are written without waiting for pcap_file_flush */
#define RECORD  16u             /* octets in front of each packet */
#define ROOM    (WAITING + SNAPLEN + RECORD)

struct pcap_file {
	pthread_mutex_t lock;
	pcap_t        *pcap;            /* of the link layer */
	pcap_dumper_t *dumper;
	const char    *path;
	FILE          *err;
	off_t          whole;           /* octets of the file that are known to be written */
	size_t         octets;          /* that wait */
	uint64_t       waiting, lost;   /* packets */
	bool           regular, failed;
	char           room[ROOM];
};

static const char *
name_of(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard output" : path;
}

static bool
complain(const char *path, const char *reason, FILE *err)
{
	fprintf(err, "smtpscope: --pcap: cannot write %s: %s\n", name_of(path), reason);
	return false;
}

/* A stream of our own: pcap_dump_open would make the file for everybody to read. */
static FILE *
open_stream(const char *path)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? dup(STDOUT_FILENO) : open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "w");

	if (fd >= 0 && stream == NULL)
		close(fd);
	return stream;
}

static bool
start(struct pcap_file *file)
{
	FILE *stream = open_stream(file->path);
	struct stat status;

	if (stream == NULL)
		return complain(file->path, errno == ENOENT ? "its directory must exist" : strerror(errno), file->err);
	if (isatty(fileno(stream))) {
		fclose(stream);
		return complain(file->path, "it is a terminal, and a capture is no text", file->err);
	}
	setvbuf(stream, file->room, _IOFBF, sizeof file->room);
	file->regular = fstat(fileno(stream), &status) == 0 && S_ISREG(status.st_mode);
	file->pcap = pcap_open_dead(DLT_RAW, SNAPLEN);
	file->dumper = file->pcap == NULL ? NULL : pcap_dump_fopen(file->pcap, stream);
	if (file->dumper == NULL) {
		fclose(stream);
		return complain(file->path, file->pcap == NULL ? "out of memory" : pcap_geterr(file->pcap), file->err);
	}
	/* So that a full disk is known now. */
	pcap_file_flush(file);
	return !file->failed;
}

struct pcap_file *
pcap_file_open(const char *path, FILE *err)
{
	struct pcap_file *file = calloc(1, sizeof *file);

	if (file == NULL)
		abort();
	pthread_mutex_init(&file->lock, NULL);
	file->path = path;
	file->err = err;
	if (start(file))
		return file;
	pcap_file_close(file);
	return NULL;
}

/* Of the packets that waited some were written whole, and the next one in part, which is taken back. */
static void
keep_whole(struct pcap_file *file, int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	uint32_t record[RECORD / 4];    /* seconds, microseconds, captured, length */

	while (file->waiting > 0 && file->whole + (off_t)RECORD <= end &&
	    pread(fd, record, sizeof record, file->whole) == (ssize_t)sizeof record &&
	    file->whole + (off_t)(RECORD + record[2]) <= end) {
		file->whole += (off_t)(RECORD + record[2]);
		file->waiting--;
	}
	if (ftruncate(fd, file->whole) != 0)
		fprintf(file->err, "smtpscope: --pcap: %s may end inside a packet\n", file->path);
}

static void
fail(struct pcap_file *file)
{
	FILE *stream = pcap_dump_file(file->dumper);

	file->failed = true;
	complain(file->path, strerror(errno), file->err);
	__fpurge(stream);
	if (file->regular)
		keep_whole(file, fileno(stream));
	file->lost += file->waiting;
	file->waiting = 0;
}

/* Under the lock, as all below. */
static void
write_out(struct pcap_file *file)
{
	FILE *stream;

	if (file->failed || (file->waiting == 0 && file->whole > 0))
		return;
	stream = pcap_dump_file(file->dumper);
	if (pcap_dump_flush(file->dumper) != 0) {
		fail(file);
		return;
	}
	file->waiting = 0;
	file->octets = 0;
	file->whole = file->regular ? ftello(stream) : 1;
}

static void
dump(struct pcap_file *file, struct view packet, uint64_t time_us)
{
	struct pcap_pkthdr header = {.caplen = (bpf_u_int32)packet.len, .len = (bpf_u_int32)packet.len};

	if (file->failed) {
		file->lost++;
		return;
	}
	header.ts.tv_sec = (time_t)(time_us / 1000000);
	header.ts.tv_usec = (suseconds_t)(time_us % 1000000);
	pcap_dump((u_char *)file->dumper, &header, (const u_char *)packet.at);
	file->waiting++;
	file->octets += RECORD + packet.len;
	if (file->octets >= WAITING)
		write_out(file);
}

void
pcap_file_write(struct pcap_file *file, struct view packet, uint64_t time_us)
{
	pthread_mutex_lock(&file->lock);
	dump(file, packet, time_us);
	pthread_mutex_unlock(&file->lock);
}

void
pcap_file_flush(struct pcap_file *file)
{
	pthread_mutex_lock(&file->lock);
	write_out(file);
	pthread_mutex_unlock(&file->lock);
}

uint64_t
pcap_file_close(struct pcap_file *file)
{
	uint64_t lost;

	if (file == NULL)
		return 0;
	if (file->dumper != NULL) {
		pcap_file_flush(file);
		pcap_dump_close(file->dumper);
	}
	if (file->pcap != NULL)
		pcap_close(file->pcap);
	lost = file->lost;
	if (lost > 0)
		fprintf(file->err, "smtpscope: --pcap: %" PRIu64 " packet%s missing from %s\n", lost,
		    lost == 1 ? " is" : "s are", name_of(file->path));
	free(file);
	return lost;
}
