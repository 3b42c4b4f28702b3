#include <pthread.h>
#include <stddef.h>

#include "bridge.h"

// DuckDB's threads hand their calls over to goroutines. They cannot call Go themselves: a worker runs while its program is still being
// initialised (package worker says why), and Go lets a thread that it does not know wait until that has ended, which it never does.

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t asked = PTHREAD_COND_INITIALIZER, answered = PTHREAD_COND_INITIALIZER;
static loch_call *first, *last;
static int closed;

void loch_ask(void *info, void *input, void *output) {
	loch_call call = {info, input, output, NULL, 0};
	pthread_mutex_lock(&lock);
	if (last)
		last->next = &call;
	else
		first = &call;
	last = &call;
	pthread_cond_signal(&asked);
	while (!call.answered)
		pthread_cond_wait(&answered, &lock);
	pthread_mutex_unlock(&lock);
}

loch_call *loch_take(void) {
	pthread_mutex_lock(&lock);
	while (!first && !closed)
		pthread_cond_wait(&asked, &lock);
	loch_call *call = first;
	if (call) {
		first = call->next;
		if (!first)
			last = NULL;
	}
	pthread_mutex_unlock(&lock);
	return call;
}

void loch_answer(loch_call *call) {
	pthread_mutex_lock(&lock);
	call->answered = 1;
	pthread_cond_broadcast(&answered);
	pthread_mutex_unlock(&lock);
}

void loch_open(void) {
	pthread_mutex_lock(&lock);
	closed = 0;
	pthread_mutex_unlock(&lock);
}

void loch_close(void) {
	pthread_mutex_lock(&lock);
	closed = 1;
	pthread_cond_broadcast(&asked);
	pthread_mutex_unlock(&lock);
}
