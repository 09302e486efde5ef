/* The report at the end of a run: a table for people, a JSON object for programs. */
#ifndef LONGROOM_LOAD_REPORT_H
#define LONGROOM_LOAD_REPORT_H

#include <stdio.h>

#include "run.h"

void report_table(const struct run *run, const struct verdict *verdict,
                  FILE *to);
void report_json(const struct run *run, const struct verdict *verdict, FILE *to);

#endif
