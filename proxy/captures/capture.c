/* SPDX-License-Identifier: MIT */
#include "proxy/captures/capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "decoders/net/packet.h"
#include "proxy/captures/pipe.h"
#include "proxy/must.h"

#define SNAPLEN     262144
#define BUFFER      (16 * 1024 * 1024)
/*
 * Octets. libpcap leaves it to the file system, which says 4,096; what the kernel copies here is to be
 * in a near cache still when libpcap copies it on.
 */
#define FILE_BUFFER 32768u
#define READ_MS     20          /* how long the kernel may gather live packets */

struct capture {
	pcap_t     *pcap;
	char       *buffer;     /* of the file; owned */
	const char *name;
	uint64_t    size;       /* of the file; 0: not known */
	int         linktype;
	bool        live;
};

static struct capture *
capture_new(pcap_t *pcap, const char *name)
{
	struct capture *capture = must(calloc(1, sizeof *capture));

	capture->pcap = pcap;
	capture->name = name;
	return capture;
}

/* A link layer that cannot be read is no capture for us, whatever is in it. */
static bool
link_is_known(struct capture *capture, FILE *err)
{
	int type = pcap_datalink(capture->pcap);
	const char *name = net_link_name(type);

	capture->linktype = type;
	if (net_link_known(type))
		return true;
	if (name == NULL)
		name = pcap_datalink_val_to_name(type);
	fprintf(err, "smtpscope: %s: link-layer type %d (%s) is not one that is decoded\n", capture->name, type,
	    name != NULL ? name : "unknown to libpcap");
	return false;
}

static void
say_empty(const char *name, FILE *err)
{
	fprintf(err, "smtpscope: %s is empty: not even the header of a capture is there\n", name);
}

/* What is no file is said plainly: libpcap would say "truncated dump file" of a directory. */
static bool
is_readable_file(const char *path, uint64_t *size, bool *pipe, FILE *err)
{
	struct stat st;

	if (stat(path, &st) != 0 || access(path, R_OK) != 0) {
		fprintf(err, "smtpscope: %s: %s\n", path, strerror(errno));
		return false;
	}
	if (S_ISDIR(st.st_mode)) {
		fprintf(err, "smtpscope: %s is a directory; name the capture files in it\n", path);
		return false;
	}
	*size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	if (S_ISREG(st.st_mode) && st.st_size == 0) {
		say_empty(path, err);
		return false;
	}
	*pipe = !S_ISREG(st.st_mode);
	return true;
}

/* Behind comments and white space a rule file begins with "rule". */
static bool
looks_like_rules(const char *text)
{
	for (;;) {
		text += strspn(text, " \t\r\n");
		if (*text != '#')
			return strncmp(text, "rule", 4) == 0 && (text[4] == ' ' || text[4] == '\t' || text[4] == '"');
		text += strcspn(text, "\n");
	}
}

/* What a compressed file begins with, and who takes that off. */
static const struct {
	char        magic[5];
	const char *tool;
} compressed[] = {{"\x1f\x8b", "gzip"}, {"\xfd" "7zX", "xz"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"BZh", "bzip2"}};

static const char *
compressed_by(const char *start, size_t len)
{
	for (size_t i = 0; i < sizeof compressed / sizeof *compressed; i++) {
		size_t magic = strlen(compressed[i].magic);

		if (len >= magic && memcmp(start, compressed[i].magic, magic) == 0)
			return compressed[i].tool;
	}
	return NULL;
}

/* libpcap says "unknown file format"; what people give instead of a capture is mostly one of these. */
static void
say_not_a_capture(const char *path, const char *name, const char *reason, FILE *err)
{
	char start[512];
	FILE *file = path == name ? fopen(path, "re") : NULL;   /* what came from standard input is gone */
	size_t len = file == NULL ? 0 : fread(start, 1, sizeof start - 1, file);
	const char *tool = compressed_by(start, len);

	if (file != NULL)
		fclose(file);
	start[len] = '\0';
	if (strstr(reason, "only got 0") != NULL)
		say_empty(name, err);
	else if (tool != NULL)
		fprintf(err, "smtpscope: %s is compressed: %s -dc %s | smtpscope decode -\n", name, tool, name);
	else if (strstr(reason, "unknown file format") != NULL && looks_like_rules(start))
		fprintf(err, "smtpscope: %s is a rule file, not a capture; give it with -r\n", name);
	else
		fprintf(err, "smtpscope: %s: %s; pcap and pcapng files can be read\n", name, reason);
}

/* file NULL: errno says why. As libpcap opens it, but with a buffer of its own; NULL: reason says why. */
static pcap_t *
open_file(FILE *file, char **buffer, char reason[PCAP_ERRBUF_SIZE])
{
	pcap_t *pcap;

	if (file == NULL) {
		snprintf(reason, PCAP_ERRBUF_SIZE, "%s", strerror(errno));
		return NULL;
	}
	*buffer = malloc(FILE_BUFFER);
	if (*buffer != NULL)
		setvbuf(file, *buffer, _IOFBF, FILE_BUFFER);
	pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, reason);
	if (pcap != NULL) {
		/* Nobody else reads it: a lock twice a packet is for nothing. */
		__fsetlocking(file, FSETLOCKING_BYCALLER);
		return pcap;
	}
	fclose(file);
	free(*buffer);
	return NULL;
}

struct capture *
capture_open_file(const char *path, const struct capture_patience *patience, FILE *err)
{
	char *buffer = NULL;
	char reason[PCAP_ERRBUF_SIZE] = "";
	bool standard = strcmp(path, "-") == 0, pipe = true;
	const char *name = standard ? "standard input" : path;
	struct capture *capture;
	uint64_t size = 0;
	pcap_t *pcap;

	if (!standard && !is_readable_file(path, &size, &pipe, err))
		return NULL;
	pcap = open_file(pipe ? pipe_open(standard ? NULL : path, patience) : fopen(path, "re"), &buffer, reason);
	if (pcap == NULL) {
		say_not_a_capture(path, name, reason, err);
		return NULL;
	}
	capture = capture_new(pcap, name);
	capture->buffer = buffer;
	capture->size = size;
	if (link_is_known(capture, err))
		return capture;
	capture_close(capture);
	return NULL;
}

/* The interfaces that there are, behind a name that is none. */
static void
tell_interfaces(FILE *err)
{
	char reason[PCAP_ERRBUF_SIZE];
	pcap_if_t *all;
	const char *between = "; there are ";

	if (pcap_findalldevs(&all, reason) != 0)
		return;
	for (const pcap_if_t *one = all; one != NULL; one = one->next) {
		/* libpcap names what else can be captured too: USB, D-Bus, netfilter's logs. */
		if (one->addresses == NULL && strcmp(one->name, "any") != 0)
			continue;
		fprintf(err, "%s%s", between, one->name);
		between = ", ";
	}
	pcap_freealldevs(all);
}

static bool
activate(pcap_t *pcap, const char *interface, FILE *err)
{
	const char *more;
	int code;

	pcap_set_snaplen(pcap, SNAPLEN);
	pcap_set_promisc(pcap, 1);
	pcap_set_timeout(pcap, READ_MS);
	pcap_set_buffer_size(pcap, BUFFER);
	code = pcap_activate(pcap);
	if (code >= 0)
		return true;
	more = code == PCAP_ERROR_PERM_DENIED ? "; capturing takes root, or the capability CAP_NET_RAW" : "";
	fprintf(err, "smtpscope: %s: %s%s", interface, *pcap_geterr(pcap) != '\0' ? pcap_geterr(pcap) :
	    pcap_statustostr(code), more);
	if (code == PCAP_ERROR_NO_SUCH_DEVICE)
		tell_interfaces(err);
	fputc('\n', err);
	return false;
}

static bool
set_filter(pcap_t *pcap, const char *filter, FILE *err)
{
	struct bpf_program program;
	int code;

	if (pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0) {
		fprintf(err, "smtpscope: the filter \"%s\": %s; pcap-filter(7) has its words\n", filter, pcap_geterr(pcap));
		return false;
	}
	code = pcap_setfilter(pcap, &program);
	pcap_freecode(&program);
	if (code != 0)
		fprintf(err, "smtpscope: the filter \"%s\": %s\n", filter, pcap_geterr(pcap));
	return code == 0;
}

static bool
never_waits(pcap_t *pcap, const char *interface, FILE *err)
{
	char reason[PCAP_ERRBUF_SIZE] = "";

	if (pcap_setnonblock(pcap, 1, reason) == 0)
		return true;
	fprintf(err, "smtpscope: %s: %s\n", interface, reason);
	return false;
}

struct capture *
capture_open_interface(const char *interface, const char *filter, FILE *err)
{
	char reason[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = pcap_create(interface, reason);
	struct capture *capture;

	if (pcap == NULL) {
		fprintf(err, "smtpscope: %s: %s\n", interface, reason);
		return NULL;
	}
	capture = capture_new(pcap, interface);
	capture->live = true;
	if (activate(pcap, interface, err) && set_filter(pcap, filter, err) && never_waits(pcap, interface, err) &&
	    link_is_known(capture, err))
		return capture;
	capture_close(capture);
	return NULL;
}

/* libpcap reads pcapng of several interfaces, as long as they are alike. */
static void
say_damaged(const struct capture *capture, FILE *err)
{
	const char *reason = pcap_geterr(capture->pcap);
	bool unlike = strstr(reason, "of the first interface") != NULL;

	fprintf(err, "smtpscope: %s: %s%s\n", capture->name, reason,
	    unlike ? "; take one out: tshark -r FILE -Y 'frame.interface_id == 0' -w ONE" : "");
}

/* What libpcap is told to call. */
struct reading {
	struct capture     *capture;
	const struct capture_reader *reader;
};

static void
take_packet(u_char *to, const struct pcap_pkthdr *header, const u_char *octets)
{
	struct reading *reading = (struct reading *)to;
	struct capture_frame frame = {.octets = {(const char *)octets, header->caplen}, .len = header->len,
	    .linktype = reading->capture->linktype};
	uint64_t fraction = (uint64_t)header->ts.tv_usec;

	/* Files are read with nanoseconds in the field for microseconds. */
	frame.time_us = (uint64_t)header->ts.tv_sec * 1000000 + (reading->capture->live ? fraction : fraction / 1000);
	if (!reading->reader->take(reading->reader->to, &frame))
		pcap_breakloop(reading->capture->pcap);
}

enum capture_read
capture_read(struct capture *capture, unsigned max, const struct capture_reader *reader, FILE *err)
{
	struct reading reading = {capture, reader};
	int count = pcap_dispatch(capture->pcap, (int)max, take_packet, (u_char *)&reading);

	if (count > 0)
		return CAPTURE_FRAMES;
	if (count == 0 && capture->live)
		return CAPTURE_NOTHING;
	if (count == 0 || count == PCAP_ERROR_BREAK)
		return CAPTURE_END;
	say_damaged(capture, err);
	return CAPTURE_DAMAGED;
}

const char *
capture_name(const struct capture *capture)
{
	return capture->name;
}

int
capture_descriptor(const struct capture *capture)
{
	return pcap_get_selectable_fd(capture->pcap);
}

uint64_t
capture_dropped(const struct capture *capture)
{
	struct pcap_stat stat;

	return capture->live && pcap_stats(capture->pcap, &stat) == 0 ? stat.ps_drop : 0;
}

bool
capture_progress(const struct capture *capture, uint64_t *at, uint64_t *size)
{
	FILE *file = capture->live ? NULL : pcap_file(capture->pcap);
	long position = file == NULL ? -1 : ftell(file);

	*size = capture->size;
	*at = position < 0 ? 0 : (uint64_t)position;
	return position >= 0 && capture->size > 0;
}

void
capture_close(struct capture *capture)
{
	pcap_close(capture->pcap);
	free(capture->buffer);
	free(capture);
}
