/* SPDX-License-Identifier: MIT */
/* The one place of the version. */
#ifndef PROXY_VERSION_H
#define PROXY_VERSION_H

#define SMTPSCOPE_VERSION "0.1.0"

#endif
