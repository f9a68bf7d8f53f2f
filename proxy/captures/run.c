/* SPDX-License-Identifier: MIT */
#include "proxy/captures/run.h"

#include <stdlib.h>

#include "proxy/captures/keylog.h"
#include "proxy/captures/pipeline.h"
#include "proxy/captures/ports.h"

int
decoding_open(struct decoding *d, const struct options *options, const char *source)
{
	struct session_config config = {.source = source, .show_secrets = options->show_secrets, .dry_run = true,
	    .max_line = (uint32_t)options->max_line, .max_content = options->max_content, .arena = &d->arena,
	    .spares = &d->spares};

	*d = (struct decoding){.options = options};
	arena_init(&d->arena);
	d->ports = ports_read(&options->ports, stderr);
	if (d->ports == NULL || !reporting_allows(options))
		return EXIT_USAGE;
	d->rulebook = rulebook_load(&options->rules, options->seed, &config, NULL, stderr);
	if (d->rulebook == NULL)
		return EXIT_USAGE;
	if (!keylog_load(options->keylog, &d->keylog, stderr))
		return EXIT_FAILED;
	d->run = (struct capture_run){.config = &d->rulebook->config, .keylog = d->keylog, .ports = d->ports};
	d->frames = frames_new(&d->run);
	return EXIT_DONE;
}

int
decoding_report(struct decoding *d, struct event_base *base)
{
	d->reports = reporting_open(&d->reporting, d->options, base);
	if (!d->reports) {
		reporting_close(&d->reporting, false);
		return EXIT_FAILED;
	}
	d->rulebook->config.events = reporting_sink(&d->reporting);
	d->rulebook->config.wire = reporting_wire(&d->reporting);
	if (ruleset_wants_seed(d->rulebook->rules) && !d->options->seed_given)
		fprintf(stderr, "smtpscope: --seed %llu gives the same chances again\n",
		    (unsigned long long)d->options->seed);
	return EXIT_DONE;
}

int
decoding_end(struct decoding *d, int code)
{
	int told;

	frames_end(d->frames);
	pipeline_close(d->run.pipeline);
	d->run.pipeline = NULL;
	rulebook_summarize(d->rulebook, reporting_sink(&d->reporting), frames_time(d->frames));
	told = reporting_close(&d->reporting, true);
	d->reports = false;
	frames_tell(d->frames, d->options->quiet == 0 ? stderr : NULL);
	if (!rulebook_is_met(d->rulebook, stderr) && told == EXIT_DONE)
		told = EXIT_UNMET;
	return code != EXIT_DONE ? code : told;
}

void
decoding_close(struct decoding *d)
{
	if (d->reports)
		reporting_close(&d->reporting, false);
	frames_free(d->frames);
	tls_keylog_free(d->keylog);
	if (d->rulebook != NULL)
		rulebook_release(d->rulebook);
	session_spares_clear(&d->spares);
	free(d->ports);
	arena_clear(&d->arena);
}
