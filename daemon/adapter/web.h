/*
 * web - one HTTPS GET, by libcurl. It blocks: only sender processes use it.
 *
 * TLS is verified, no redirect is followed, no proxy of the environment is used, and of the
 * reply no more is read than a small measure: what counts is that the other side answered 2xx.
 */
#ifndef ADAPTER_WEB_H
#define ADAPTER_WEB_H

#include "adapter/sender_channel.h"

/*
 * Fetches `url`, which url_check_web has to find sound. What came of it goes to *ret; its words
 * never hold the address, which may be a secret, nor anything that the other side said.
 */
void web_get(const char *url, const struct sender_get *get, struct sender_got *ret);

#endif
