/* SPDX-License-Identifier: MIT */
/* Rules from a text: the loader wants files, whose names stand in the events. */
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/transcript_run.h"

struct ruleset *
transcript_rules(struct view name, struct view text, FILE *err)
{
	char directory[] = "/tmp/smtpscope-transcript.XXXXXX", path[512];
	const char *paths[] = {path};
	struct ruleset *rules = NULL;
	FILE *file;

	if (text.len == 0)
		return ruleset_load(NULL, 0, err);
	if (mkdtemp(directory) == NULL) {
		fprintf(err, "%s: cannot be made\n", directory);
		return NULL;
	}
	snprintf(path, sizeof path, "%s/%.*s.rules", directory, (int)name.len, name.at);
	file = fopen(path, "w");
	if (file != NULL) {
		fwrite(text.at, 1, text.len, file);
		fclose(file);
		rules = ruleset_load(paths, 1, err);
		unlink(path);
	}
	rmdir(directory);
	return rules;
}
