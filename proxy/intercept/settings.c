/* SPDX-License-Identifier: MIT */
/* Which options were given: where the proxy speaks no TLS, each of them is a misunderstanding. */
#include "proxy/intercept/settings.h"

#include <stddef.h>

const char *
intercept_settings_given(const struct intercept_settings *settings)
{
	const struct intercept_leg_settings *legs = settings->legs;
	const struct {
		const char *option;
		bool        given;
	} options[] = {
		{"--ca-cert", settings->ca_cert != NULL},
		{"--ca-key", settings->ca_key != NULL},
		{"--cert", settings->cert != NULL},
		{"--key", settings->key != NULL},
		{"--bad-cert", settings->bad_cert != INTERCEPT_BAD_NONE},
		{"--upstream-verify", settings->verify != INTERCEPT_VERIFY_NONE},
		{"--upstream-ca", settings->upstream_ca != NULL},
		{"--client-cert", settings->client_cert != NULL},
		{"--client-key", settings->client_key != NULL},
		{"--keylog", settings->keylog != NULL},
		{"--tls-min", legs[0].min != 0 || legs[1].min != 0},
		{"--tls-max", legs[0].max != 0 || legs[1].max != 0},
		{"--ciphers", legs[0].ciphers != NULL || legs[1].ciphers != NULL}
	};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (options[i].given)
			return options[i].option;
	return NULL;
}
