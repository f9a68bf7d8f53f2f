/* SPDX-License-Identifier: MIT */
/*
 * What the command line says about TLS. A leg is of one kind for all sessions of a listener, as it
 * begins before the server is reached; so all servers must be of one kind, too.
 */
#include "proxy/relay/tls_setup.h"

#include "proxy/intercept/intercept.h"

static const enum session_tls ways[] = {
    [STARTTLS_PASS] = SESSION_TLS_PASSED, [STARTTLS_INTERCEPT] = SESSION_TLS_STARTTLS,
    [STARTTLS_STRIP] = SESSION_TLS_NONE};

static const enum session_tls leg_ways[] = {
    [LEG_TLS_PLAIN] = SESSION_TLS_NONE, [LEG_TLS_STARTTLS] = SESSION_TLS_STARTTLS,
    [LEG_TLS_IMPLICIT] = SESSION_TLS_IMPLICIT};

/* The URLs of one leg and its option, --tls-client or --tls-server, mean the same. */
static bool
leg_agrees(enum options_leg_tls leg, const char *option, struct url *urls, size_t count, FILE *err)
{
	for (size_t i = 0; leg != LEG_TLS_DEFAULT && i < count; i++) {
		if (leg == LEG_TLS_IMPLICIT && (urls[i].scheme == URL_SINK || urls[i].scheme == URL_LMTP)) {
			fprintf(err, "smtpscope: %s implicit: %s does not begin with TLS\n", option, urls[i].text);
			return false;
		}
		if (leg == LEG_TLS_IMPLICIT)
			url_make_tls(&urls[i]);
		else if (urls[i].tls) {
			fprintf(err, "smtpscope: %s contradicts %s, which begins with TLS; write smtp:// or leave the option out\n",
			    option, urls[i].text);
			return false;
		}
	}
	return true;
}

static bool
are_of_one_kind(const struct url *urls, size_t count, FILE *err)
{
	for (size_t i = 1; i < count; i++) {
		if (urls[i].tls == urls[0].tls)
			continue;
		fprintf(err, "smtpscope: --upstream %s and %s: either all servers begin with TLS or none does\n",
		    urls[0].text, urls[i].text);
		return false;
	}
	return true;
}

/* What is given for TLS of our own would do nothing where none is spoken. */
static bool
is_of_use(const struct options *options, FILE *err)
{
	struct intercept_settings tls = options->tls;
	const char *option;

	if (options->make_ca)
		tls.ca_cert = tls.ca_key = NULL;
	tls.keylog = options->keylog;
	option = intercept_settings_given(&tls);
	if (option != NULL)
		fprintf(err, "smtpscope: %s: with --starttls %s TLS %s, and none is spoken here\n", option,
		    options->starttls == STARTTLS_STRIP ? "strip" : "pass",
		    options->starttls == STARTTLS_STRIP ? "is hidden" : "goes through");
	return option == NULL;
}

bool
tls_setup(struct worker_tls *tls, const struct options *options, struct url *listen, size_t listen_count,
    struct url *upstream, size_t upstream_count, FILE *err)
{
	*tls = (struct worker_tls){.handshake_us = options->handshake_timeout_us,
	    .glued_given = options->glued != GLUED_DEFAULT, .drops_glued = options->glued == GLUED_DROP};
	for (int side = SMTP_CLIENT; side <= SMTP_SERVER; side++)
		tls->way[side] = options->leg_tls[side] == LEG_TLS_DEFAULT ? ways[options->starttls]
		    : leg_ways[options->leg_tls[side]];
	if (!leg_agrees(options->leg_tls[SMTP_CLIENT], "--tls-client", listen, listen_count, err) ||
	    !leg_agrees(options->leg_tls[SMTP_SERVER], "--tls-server", upstream, upstream_count, err) ||
	    !are_of_one_kind(upstream, upstream_count, err))
		return false;
	tls->spoken = tls->way[SMTP_CLIENT] > SESSION_TLS_NONE || tls->way[SMTP_SERVER] > SESSION_TLS_NONE ||
	    upstream[0].tls;
	for (size_t i = 0; i < listen_count; i++)
		tls->spoken = tls->spoken || listen[i].tls;
	return tls->spoken || is_of_use(options, err);
}

int
tls_open(struct worker_tls *tls, const struct options *options, FILE *err)
{
	struct intercept_settings settings = options->tls;
	char error[INTERCEPT_ERROR_MAX];
	const char *note;
	bool usage = false;

	if (!tls->spoken)
		return EXIT_DONE;
	settings.keylog = options->keylog;
	tls->intercept = intercept_new(&settings, &usage, error);
	if (tls->intercept == NULL) {
		fprintf(err, "smtpscope: %s\n", error);
		return usage ? EXIT_USAGE : EXIT_FAILED;
	}
	for (unsigned n = 0; options->quiet == 0 && (note = intercept_note(tls->intercept, n)) != NULL; n++)
		fprintf(err, "smtpscope: %s\n", note);
	return EXIT_DONE;
}

void
tls_close(struct worker_tls *tls)
{
	intercept_free(tls->intercept);
	tls->intercept = NULL;
}
