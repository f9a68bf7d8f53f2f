/* SPDX-License-Identifier: MIT */
/*
 * Tags: what a rule leaves for later ones, with the session (in its run, a place for each
 * word that the rule files know) or with the client (in the state, by its address).
 */
#include <stdlib.h>

#include "proxy/rules/judging.h"
#include "proxy/rules/siphash.h"
#include "proxy/rules/state.h"

#define TAG_FOR_EVER UINT64_MAX

struct rules_tag {
	uint64_t until_us;      /* 0: not set */
};

/* False: whose address is not known has no tags of its own. */
static bool
client_key(const struct judging *j, unsigned tag, uint64_t *key)
{
	struct address client;

	if (!address_of(j->facts.client, &client))
		return false;
	/* By the word: rules that are loaded again may number it otherwise. */
	*key = siphash(siphash(0, 2, j->rules->tags[tag].word), 2,
	    (struct view){(const char *)client.octets, sizeof client.octets});
	return true;
}

bool
tag_has(const struct judging *j, unsigned tag)
{
	struct client_tags *tags = j->state->tags;
	const struct count *count;
	uint64_t key;
	bool has;

	if (j->run->tags != NULL && j->facts.time_us < j->run->tags[tag].until_us)
		return true;
	if (!client_key(j, tag, &key))
		return false;
	pthread_mutex_lock(&tags->lock);
	count = counts_find(&tags->until, key);
	has = count != NULL && j->facts.time_us < count->time_us;
	pthread_mutex_unlock(&tags->lock);
	return has;
}

static void
client_tag_set(struct client_tags *tags, uint64_t key, uint64_t until)
{
	pthread_mutex_lock(&tags->lock);
	counts_take(&tags->until, key)->time_us = until;
	if (tags->until.forgotten > 0 && !tags->told) {
		tags->told = true;
		fprintf(stderr, "rules: more than %u tags of clients: the oldest are forgotten\n", COUNTS_MOST);
	}
	pthread_mutex_unlock(&tags->lock);
}

void
tag_set(struct judging *j, const struct action *action)
{
	uint64_t until = action->tag_us == 0 ? TAG_FOR_EVER : j->facts.time_us + action->tag_us, key;

	if (action->of_client) {
		if (!client_key(j, action->tag, &key))
			return;
		client_tag_set(j->state->tags, key, until);
		return;
	}
	if (j->run->tags == NULL) {
		j->run->tags = calloc(j->rules->tag_count, sizeof *j->run->tags);
		if (j->run->tags == NULL)
			abort();
	}
	j->run->tags[action->tag].until_us = until;
}

void
tag_remove(struct judging *j, unsigned tag)
{
	uint64_t key;

	if (j->run->tags != NULL)
		j->run->tags[tag].until_us = 0;
	if (!client_key(j, tag, &key))
		return;
	pthread_mutex_lock(&j->state->tags->lock);
	counts_remove(&j->state->tags->until, key);
	pthread_mutex_unlock(&j->state->tags->lock);
}
