/* SPDX-License-Identifier: MIT */
#include <stdbool.h>

#include "proxy/captures/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
privileges_drop(const char *user, FILE *err)
{
	const char *sudo = getenv("SUDO_USER");
	struct passwd *entry;

	if (user == NULL && (geteuid() != 0 || sudo == NULL || *sudo == '\0'))
		return true;
	if (user == NULL)
		user = sudo;
	errno = 0;
	entry = getpwnam(user);
	if (entry == NULL) {
		fprintf(err, "smtpscope: --user: there is no user \"%s\"%s%s\n", user, errno != 0 ? ": " : "",
		    errno != 0 ? strerror(errno) : "");
		return false;
	}
	if (entry->pw_uid == geteuid() && entry->pw_uid == getuid())
		return true;
	if (initgroups(user, entry->pw_gid) == 0 && setgid(entry->pw_gid) == 0 && setuid(entry->pw_uid) == 0)
		return true;
	fprintf(err, "smtpscope: cannot become user \"%s\": %s; only root can\n", user, strerror(errno));
	return false;
}
