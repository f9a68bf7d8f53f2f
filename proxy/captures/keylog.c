/* SPDX-License-Identifier: MIT */
#include "proxy/captures/keylog.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

bool
keylog_load(const char *path, struct tls_keylog **log, FILE *err)
{
	char *line = NULL;
	size_t room = 0, bad = 0, wrong, lines = 0;
	ssize_t len;
	FILE *file;

	*log = NULL;
	if (path == NULL)
		return true;
	file = fopen(path, "re");
	if (file == NULL) {
		fprintf(err, "smtpscope: --keylog %s: %s\n", path, strerror(errno));
		return false;
	}
	*log = tls_keylog_new();
	while ((len = getline(&line, &room, file)) > 0) {
		tls_keylog_add(*log, (struct view){line, (size_t)len}, &wrong);
		bad += wrong;
		lines++;
	}
	if (line != NULL)
		OPENSSL_clear_free(line, room);
	if (ferror(file) || (bad > 0 && tls_keylog_count(*log) == 0)) {
		fprintf(err, ferror(file) ? "smtpscope: --keylog %s: cannot be read\n"
		    : "smtpscope: --keylog %s is no key log: lines like \"CLIENT_RANDOM ... ...\" were expected\n", path);
		fclose(file);
		tls_keylog_free(*log);
		*log = NULL;
		return false;
	}
	fclose(file);
	if (bad > 0)
		fprintf(err, "smtpscope: --keylog %s: %zu of %zu lines were passed over\n", path, bad, lines);
	return true;
}
