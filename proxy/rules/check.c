/* SPDX-License-Identifier: MIT */
/* `smtpscope check`: are these rule files right? All errors of all files, or a line a file. */
#include <stdio.h>
#include <stdlib.h>

#include "proxy/options.h"
#include "proxy/rules/load.h"
#include "proxy/rules/ruleset.h"

int
check_command(const struct options *options)
{
	size_t count = options->rules.count + options->operands.count, *counts;
	const char **paths;
	struct ruleset *rules;

	if (count == 0) {
		fputs("smtpscope check: no rule file given: name one or more, or - for standard input\n", stderr);
		return EXIT_USAGE;
	}
	paths = calloc(count, sizeof *paths);
	counts = calloc(count, sizeof *counts);
	if (paths == NULL || counts == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		paths[i] = i < options->rules.count ? options->rules.at[i] :
		    options->operands.at[i - options->rules.count];
	rules = ruleset_load_counting(paths, count, stderr, counts);
	for (size_t i = 0; rules != NULL && options->quiet == 0 && i < count; i++)
		printf("%s: %zu rule%s\n", strcmp(paths[i], "-") == 0 ? "stdin" : paths[i], counts[i],
		    counts[i] == 1 ? "" : "s");
	for (size_t i = 0; rules != NULL && options->verbose > 0 && i < rules->count; i++)
		fprintf(stderr, "%s: rule \"%s\"\n", rules->rules[i].at, rules->rules[i].name);
	ruleset_free(rules);
	free(paths);
	free(counts);
	return rules != NULL ? EXIT_DONE : EXIT_USAGE;
}
