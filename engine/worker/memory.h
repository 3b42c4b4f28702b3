// The memory that a worker has ready before its statement comes.

// loch_memory_reserve makes the worker's allocators hold memory that the kernel has given already. It may be called once.
void loch_memory_reserve(void);

// loch_memory_release lets the statement have it.
void loch_memory_release(void);
