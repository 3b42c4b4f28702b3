#pragma once

// One call of a function over a chunk of rows: what DuckDB gives to a scalar function's callback.
typedef struct loch_call {
	void *info, *input, *output;
	struct loch_call *next;
	int answered;
} loch_call;

// loch_ask is the callback of every function. It waits until a goroutine has answered the call.
void loch_ask(void *info, void *input, void *output);

// loch_take waits for a call; NULL once the queue is closed.
loch_call *loch_take(void);

// loch_answer lets the asking thread go on.
void loch_answer(loch_call *);

// loch_open and loch_close begin and end the taking of calls.
void loch_open(void);
void loch_close(void);
