/*
 * cleanup - the few attributes and macros that the whole tree shares.
 *
 * CLEANUP(fn) at a declaration runs fn(&variable) on every way out of the scope;
 * TAKE(x) hands a value over and leaves an empty one behind, so that the two
 * together make every early return correct. Nothing else belongs here.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stddef.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, arguments_at) \
	__attribute__((format(printf, format_at, arguments_at)))

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The value of x; x itself is zeroed, which every module treats as empty. */
#define TAKE(x)                                \
	__extension__({                        \
		__typeof__(x) *from_ = &(x);   \
		__typeof__(x) taken_ = *from_; \
		*from_ = (__typeof__(x)){ 0 }; \
		taken_;                        \
	})

/* For CLEANUP on a pointer from malloc: frees *(void **)pointer. */
void freep(void *pointer);

#endif
