/* SPDX-License-Identifier: MIT */
#include "proxy/outputs/block.h"

#include <stdlib.h>

#define ENDS_FIRST 512u

struct block *
block_new(void)
{
	struct block *block = calloc(1, sizeof(*block));

	if (block == NULL)
		abort();
	return block;
}

void
block_free(struct block *block)
{
	if (block == NULL)
		return;
	buffer_free(&block->text);
	free(block->ends);
	free(block);
}

void
block_end_record(struct block *block)
{
	if (block->records == block->ends_size) {
		block->ends_size = block->ends_size == 0 ? ENDS_FIRST : block->ends_size * 2;
		block->ends = realloc(block->ends, block->ends_size * sizeof(*block->ends));
		if (block->ends == NULL)
			abort();
	}
	block->ends[block->records++] = block->text.len;
}
