/* SPDX-License-Identifier: GPL-2.0 */
/*
 * canvas.h - what is to be on a screen, as cells; pure
 *
 * What does not fit is cut off here, so whoever draws need not look at sizes.
 */
#ifndef CONTINUUMCTL_CANVAS_H
#define CONTINUUMCTL_CANVAS_H

#include <stdint.h>
#include <wchar.h>

/** enum tone - how a cell looks; colours, where there are any, belong to these */
enum tone { TONE_PLAIN, TONE_BOLD, TONE_DIM, TONE_HEAD, TONE_GOOD, TONE_WARM, TONE_BAD, TONES };

struct cell {
	wchar_t ch;		/* printable, one column wide */
	uint8_t tone;
};

struct canvas {
	int rows, cols;
	struct cell *cells;	/* rows * cols */
};

/** canvas_init() - all blanks.  Return: 0 or -ENOMEM */
int canvas_init(struct canvas *canvas, int rows, int cols);
void canvas_free(struct canvas *canvas);

void canvas_cell(struct canvas *canvas, int row, int col, enum tone tone, wchar_t ch);

/**
 * canvas_text() - @width columns: @text, and blanks
 * A text that is longer ends with "~".  Whatever is not ASCII, or controls
 * terminals, is a "?".
 */
void canvas_text(struct canvas *canvas, int row, int col, int width, enum tone tone, const char *text);
/** canvas_right() - the same, with the blanks first */
void canvas_right(struct canvas *canvas, int row, int col, int width, enum tone tone, const char *text);

#endif /* CONTINUUMCTL_CANVAS_H */
