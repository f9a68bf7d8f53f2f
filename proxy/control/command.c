/* SPDX-License-Identifier: MIT */
/* `smtpscope proxy` with what looks on beside it. */
#include "proxy/control/control.h"

int
proxy_command(const struct options *options)
{
	static const struct proxy_companion companion = {control_begin, control_end};

	return proxy_run(options, &companion);
}
