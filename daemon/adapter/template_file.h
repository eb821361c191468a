/*
 * template_file - a folder templates/LANGUAGE/ read and checked.
 */
#ifndef ADAPTER_TEMPLATE_FILE_H
#define ADAPTER_TEMPLATE_FILE_H

#include "base/fault.h"
#include "core/letter.h"

/* Every language below `folder`, by name ("en", "cy"). */
struct language_set;

/*
 * Reads all languages; what is wrong (a placeholder that no mail may use, a phrase missing, bad
 * UTF-8) goes to `faults` by file and line. NULL with *error when "en" cannot be had or
 * there was any fault.
 */
MUST_CHECK struct language_set *
template_file_load(const char *folder, struct fault_list *faults, struct error *error);
void template_file_destroy(struct language_set *set);
void template_file_destroyp(struct language_set **set);

/* The language of that name ("cy"; "cy" too for "cy-GB" without a folder), else "en". */
const struct language *template_file_language(const struct language_set *set, const char *name);

#endif
