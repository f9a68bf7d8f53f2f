/* SPDX-License-Identifier: MIT */
/*
 * Making a CA that is kept. Alone it is all that there is to do, and files that are there are an
 * error; on a command line that relays as well it is "make one, unless it is there", so that the
 * same line can be run twice.
 */
#include "proxy/relay/make_ca.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy/intercept/ca.h"

static bool
are_named(const struct intercept_settings *settings)
{
	if (settings->ca_cert == NULL || settings->ca_key == NULL) {
		fprintf(stderr, "smtpscope: --make-ca: %s is missing; say where to write it: --make-ca --ca-cert ca.pem "
		    "--ca-key ca.key\n", settings->ca_cert == NULL ? "--ca-cert" : "--ca-key");
		return false;
	}
	if (strcmp(settings->ca_cert, settings->ca_key) == 0) {
		fprintf(stderr, "smtpscope: --make-ca: the certificate is for everybody and the key for nobody: name two "
		    "files\n");
		return false;
	}
	return true;
}

bool
make_ca(const struct options *options, int *code)
{
	const struct intercept_settings *settings = &options->tls;
	bool relays = options->listen.count > 0 || options->upstream.count > 0 || options->starttls != STARTTLS_PASS;
	bool exists;
	char error[CA_ERROR_MAX], *advice;

	*code = EXIT_USAGE;
	if (!are_named(settings))
		return false;
	if (!ca_write(settings->ca_cert, settings->ca_key, &exists, error)) {
		if (relays && exists && access(settings->ca_cert, F_OK) == 0 && access(settings->ca_key, F_OK) == 0)
			return true;
		fprintf(stderr, "smtpscope: %s\n", error);
		*code = exists ? EXIT_USAGE : EXIT_FAILED;
		return false;
	}
	advice = ca_trust_advice(settings->ca_cert);
	fprintf(stderr, "made a CA: certificate %s, key %s\n%s\n", settings->ca_cert, settings->ca_key, advice);
	free(advice);
	*code = EXIT_DONE;
	return relays;
}
