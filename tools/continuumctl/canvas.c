// SPDX-License-Identifier: GPL-2.0
/*
 * canvas.c - what is to be on a screen, as cells
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "canvas.h"

int canvas_init(struct canvas *canvas, int rows, int cols)
{
	size_t count = (size_t)rows * (size_t)cols;

	*canvas = (struct canvas){ .rows = rows, .cols = cols };
	canvas->cells = calloc(count ? count : 1, sizeof(*canvas->cells));
	if (!canvas->cells)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		canvas->cells[i].ch = L' ';
	return 0;
}

void canvas_free(struct canvas *canvas)
{
	free(canvas->cells);
	canvas->cells = NULL;
}

void canvas_cell(struct canvas *canvas, int row, int col, enum tone tone, wchar_t ch)
{
	if (row < 0 || row >= canvas->rows || col < 0 || col >= canvas->cols)
		return;
	canvas->cells[row * canvas->cols + col] = (struct cell){ .ch = ch, .tone = (uint8_t)tone };
}

static wchar_t printable(char c)
{
	return c >= 0x20 && c < 0x7f ? (wchar_t)c : L'?';
}

void canvas_text(struct canvas *canvas, int row, int col, int width, enum tone tone, const char *text)
{
	int length = (int)strnlen(text, 4096);

	for (int i = 0; i < width; i++)
		canvas_cell(canvas, row, col + i, tone, i >= length ? L' ' :
			    i == width - 1 && length > width ? L'~' : printable(text[i]));
}

void canvas_right(struct canvas *canvas, int row, int col, int width, enum tone tone, const char *text)
{
	int blanks = width - (int)strnlen(text, 4096);

	if (blanks < 0)
		blanks = 0;
	canvas_text(canvas, row, col, blanks, tone, "");
	canvas_text(canvas, row, col + blanks, width - blanks, tone, text);
}
