/* SPDX-License-Identifier: MIT */
#include "proxy/outputs/draft.h"

#include <stdlib.h>

#include "proxy/outputs/json.h"
#include "proxy/outputs/text.h"

struct draft {
	struct writer_source *source;   /* the writer knows it until it has stopped; owned by it then */
	struct block         *block;
	struct text          *text;     /* NULL: JSON */
	struct rfc3339_kept   second;   /* of JSON's last event */
	bool                  wants_content;
};

struct draft *
draft_new(struct writer *writer, struct output *output)
{
	struct draft *draft = calloc(1, sizeof(*draft));

	if (draft == NULL)
		abort();
	draft->source = writer_source(writer, output);
	draft->block = block_new();
	if (output_format(output) == OUTPUT_TEXT)
		draft->text = text_new(output_wants_colour(output));
	draft->wants_content = output_wants_content(output);
	return draft;
}

static void
put(void *to, const struct event *event)
{
	struct draft *draft = to;
	struct block *block = draft->block;
	size_t before = block->text.len;

	if (draft->text == NULL)
		json_event(&block->text, event, &draft->second);
	else
		text_event(draft->text, &block->text, event);
	if (block->text.len == before)
		return;
	block_end_record(block);
	if (block->text.len >= BLOCK_FULL)
		draft_hand_over(draft);
}

struct event_sink
draft_sink(struct draft *draft)
{
	return (struct event_sink){.put = put, .to = draft, .wants_content = draft->wants_content};
}

bool
draft_waiting(const struct draft *draft)
{
	return draft->block->records > 0;
}

void
draft_hand_over(struct draft *draft)
{
	draft->block = writer_give(draft->source, draft->block);
}

void
draft_free(struct draft *draft)
{
	if (draft == NULL)
		return;
	draft_hand_over(draft);
	block_free(draft->block);
	text_free(draft->text);
	free(draft);
}
