/* SPDX-License-Identifier: MIT */
#include "proxy/captures/ports.h"

#include <stdlib.h>

#define KNOWN "tcp port 25 or tcp port 465 or tcp port 587 or tcp port 2525"
#define MORE  " or tcp port 65535"

uint16_t *
ports_read(const struct options_list *list, FILE *err)
{
	uint16_t *ports = calloc(list->count + 1, sizeof *ports);

	if (ports == NULL)
		abort();
	for (size_t i = 0; i < list->count; i++) {
		char *end;
		unsigned long port = strtoul(list->at[i], &end, 10);

		if (list->at[i][0] >= '0' && list->at[i][0] <= '9' && *end == '\0' && port > 0 && port <= UINT16_MAX) {
			ports[i] = (uint16_t)port;
			continue;
		}
		fprintf(err, "smtpscope: --port: \"%s\" is not a port: a number from 1 to 65535\n", list->at[i]);
		free(ports);
		return NULL;
	}
	return ports;
}

char *
ports_filter(const uint16_t *ports)
{
	size_t count = 0, room, len;
	char *filter;

	while (ports[count] != 0)
		count++;
	room = sizeof KNOWN + count * sizeof MORE;
	filter = malloc(room);
	if (filter == NULL)
		abort();
	len = (size_t)snprintf(filter, room, "%s", KNOWN);
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(filter + len, room - len, " or tcp port %u", ports[i]);
	return filter;
}
