/* SPDX-License-Identifier: MIT */
#include "proxy/rules/replace.h"

/* What stands for a match: $1 to $9 are its groups. */
static void
put_new(struct text *out, const struct action *action, const struct pattern_groups *groups)
{
	struct view new = action->text_new;
	size_t start = 0;

	for (size_t i = 0; action->pattern != NULL && i + 1 < new.len; i++) {
		if (new.at[i] != '$' || new.at[i + 1] < '1' || new.at[i + 1] > '9')
			continue;
		text_put(out, (struct view){new.at + start, i - start});
		text_put(out, groups->group[new.at[i + 1] - '0']);
		start = i + 2;
		i++;
	}
	text_put(out, view_from(new, start));
}

/* Where the old is found from an offset on; groups are filled in. */
static bool
find_old(const struct action *action, struct pattern_user *user, struct view line, size_t from,
    struct pattern_groups *groups)
{
	const char *at;

	if (action->pattern != NULL)
		return pattern_match(action->pattern, user, line, from, groups);
	at = from < line.len ? memmem(line.at + from, line.len - from, action->text_old.at, action->text_old.len) : NULL;
	groups->group[0] = (struct view){at, action->text_old.len};
	return at != NULL;
}

size_t
replace_in_line(const struct action *action, struct pattern_user *user, struct view line, struct text *out,
    bool *at_start)
{
	struct pattern_groups groups;
	size_t from = 0, done = 0, found = 0;

	*at_start = false;
	while (from <= line.len && find_old(action, user, line, from, &groups)) {
		struct view whole = groups.group[0];
		size_t at = whole.at != NULL ? (size_t)(whole.at - line.at) : 0;

		if (at < done)
			break;  /* \K can say that a match begins where it does not */
		text_put(out, (struct view){line.at + done, at - done});
		put_new(out, action, &groups);
		found++;
		*at_start = *at_start || at == 0;
		done = at + whole.len;
		/* A match of nothing must not be found at the same place again. */
		from = whole.len > 0 ? done : done + 1;
	}
	if (found > 0)
		text_put(out, view_from(line, done));
	return found;
}
